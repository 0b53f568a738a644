// Values across the border: JavaScript → IValue by the operator's schema, IValue → JavaScript, and words for both.
#pragma once

#include <sstream>

#include "engine.h"

namespace larmor {

/// JavaScript has one number type: a whole number becomes an integer scalar, any other a double.
inline c10::Scalar toScalar(napi_env env, napi_value v) {
  double number;
  if (isNumber(env, v, number)) {
    const bool isInteger = number == std::floor(number) && std::abs(number) < 9e15;
    const bool isNegativeZero = number == 0 && std::signbit(number);
    if (isInteger && !isNegativeZero) return int64_t(number);
    return number;
  }
  switch (typeOf(env, v)) {
    case napi_boolean: return toBool(env, v);
    case napi_bigint: return toBigint(env, v);
    default: refuse(env, v, "a number");
  }
}

inline int64_t toInt(napi_env env, napi_value v) {
  double number;
  if (isNumber(env, v, number)) {
    if (number != std::floor(number) || std::abs(number) > 9e15)
      throw BadArgument("expected a whole number, got " + std::to_string(number));
    return int64_t(number);
  }
  switch (typeOf(env, v)) {
    case napi_string: return enumOf(toString(env, v));
    case napi_bigint: return toBigint(env, v);
    default: refuse(env, v, "a number");
  }
}

inline std::vector<int64_t> toInts(napi_env env, napi_value v) {
  std::vector<int64_t> ints(lengthOf(env, v));
  for (uint32_t i = 0; i < ints.size(); i++) ints[i] = toInt(env, elementOf(env, v, i));
  return ints;
}

/// A number where a tensor is meant: 0-d and "wrapped", so that it takes no part in type promotion (as in Python).
inline Tensor wrappedNumber(const c10::Scalar& scalar) {
  Tensor t = c10::scalar_to_tensor(scalar);
  t.unsafeGetTensorImpl()->set_wrapped_number(true);
  return t;
}

/// `isHandle` says whether a number stands for itself or for a tensor or generator.
inline IValue toTensorValue(napi_env env, Engine& engine, napi_value v, bool isHandle) {
  if (isHandle) return tensorOf(env, engine, v);
  switch (typeOf(env, v)) {
    case napi_number:
    case napi_boolean:
    case napi_bigint: return wrappedNumber(toScalar(env, v));
    default: refuse(env, v, "a tensor");
  }
}

inline IValue toSingle(napi_env env, Engine& engine, c10::TypeKind kind, napi_value v, bool isHandle) {
  const bool wantsHandle = kind == c10::TypeKind::TensorType || kind == c10::TypeKind::GeneratorType;
  if (isHandle && !wantsHandle)
    throw BadArgument(std::string("expected ") + c10::typeKindToString(kind) + ", got a tensor or generator");
  switch (kind) {
    case c10::TypeKind::TensorType: return toTensorValue(env, engine, v, isHandle);
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return toInt(env, v);
    case c10::TypeKind::FloatType: return toNumber(env, v);
    case c10::TypeKind::BoolType: return toBool(env, v);
    case c10::TypeKind::NumberType: return toScalar(env, v);
    case c10::TypeKind::StringType: return toString(env, v);
    case c10::TypeKind::DeviceObjType: return deviceOf(toString(env, v));
    case c10::TypeKind::GeneratorType:
      if (!isHandle) refuse(env, v, "a generator");
      return generatorOf(env, engine, v);
    default: throw BadArgument(std::string("no argument of type ") + c10::typeKindToString(kind) + " can be given");
  }
}

/// The next `length` handles of those that the caller wrote down: an element of an array costs a call of N-API each.
inline IValue toTensorList(Engine& engine, const Parameter& parameter, size_t length, size_t& read) {
  if (length > engine.listedRoom - read) throw BadArgument("got a longer list than was written down");
  const double* handles = engine.listed + read;
  read += length;  // now: what describes a refused call reads on behind this list
  if (parameter.kind != c10::TypeKind::TensorType) throw BadArgument("got a list of tensors");
  c10::impl::GenericList list(parameter.elementType);
  list.reserve(length);
  for (size_t i = 0; i < length; i++) {
    const Handle handle = Handle(handles[i]);
    if (handle) list.push_back(tensorOf(engine, handle));
    else if (parameter.hasHoles) list.push_back(IValue());
    else throw BadArgument("expected a tensor, got none");
  }
  return list;
}

inline IValue toList(napi_env env, Engine& engine, const Parameter& parameter, napi_value v, bool isHandle) {
  c10::impl::GenericList list(parameter.elementType);
  if (!isArray(env, v)) {
    const IValue single = toSingle(env, engine, parameter.kind, v, isHandle);
    for (int i = 0; i < parameter.repeats; i++) list.push_back(single);
    return list;
  }
  const uint32_t length = lengthOf(env, v);
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    const napi_value each = elementOf(env, v, i);
    const bool isHole = parameter.hasHoles && isNullish(env, each);
    list.push_back(isHole ? IValue() : toSingle(env, engine, parameter.kind, each, false));
  }
  return list;
}

/// `isHandle`: v is a tensor or generator, or of a list of them the length, negated.
inline IValue toArgument(napi_env env, Engine& engine, const Parameter& parameter, napi_value v, bool isHandle,
                         size_t& read) {
  double length;
  if (isHandle && parameter.isList && isNumber(env, v, length) && length < 0)
    return toTensorList(engine, parameter, size_t(-length), read);
  if (!isHandle && isNullish(env, v)) {
    if (parameter.hasDefault && typeOf(env, v) == napi_undefined) return parameter.defaultValue;
    if (parameter.isOptional) return IValue();
    throw BadArgument("it is required");
  }
  return parameter.isList ? toList(env, engine, parameter, v, isHandle)
                          : toSingle(env, engine, parameter.kind, v, isHandle);
}

inline napi_value toJs(napi_env env, Engine& engine, const IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() ? wrap(env, engine, value) : jsNull(env);
  if (value.isNone()) return jsNull(env);
  if (value.isInt()) return js(env, value.toInt());
  if (value.isDouble()) return js(env, value.toDouble());
  if (value.isBool()) return js(env, value.toBool());
  if (value.isString()) return js(env, value.toStringRef());
  if (value.isDevice()) return js(env, value.toDevice().str());
  if (value.isList() || value.isTuple()) {
    const auto items = value.isList() ? value.toListRef().vec() : value.toTupleRef().elements().vec();
    const napi_value array = jsArray(env, items.size());
    for (size_t i = 0; i < items.size(); i++) set(env, array, i, toJs(env, engine, items[i]));
    return array;
  }
  throw std::runtime_error("a result of type " + value.tagKind() + " cannot be handed to JavaScript");
}

inline void describe(std::ostream& out, const IValue& value) {
  if (value.isTensor()) {
    const Tensor& t = value.toTensor();
    if (!t.defined()) out << "undefined";
    else if (t.unsafeGetTensorImpl()->is_wrapped_number()) out << t.item();
    else out << nameOf(t.scalar_type()) << t.sizes() << (t.is_cpu() ? "" : "@" + t.device().str());
  } else if (value.isList()) {
    const auto items = value.toListRef();
    out << "[";
    for (size_t i = 0; i < items.size() && i < 6; i++) {
      if (i) out << ", ";
      describe(out, items[i]);
    }
    if (items.size() > 6) out << ", … " << items.size() << " in all";
    out << "]";
  } else if (value.isGenerator()) {
    out << "a generator";
  } else {
    out << value;
  }
}

}  // namespace larmor
