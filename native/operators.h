// The heart: call the ATen operator of this name and overload, through the dispatcher.
#pragma once

#include "convert.h"
#include "guard.h"

namespace larmor {

inline Parameter digest(const c10::Argument& argument) {
  Parameter parameter;
  parameter.name = argument.name();
  c10::TypePtr type = argument.type();  // SymInt, ScalarType, MemoryFormat and Layout read as int here
  if (const auto optional = type->cast<c10::OptionalType>()) {
    parameter.isOptional = true;
    type = optional->getElementType();
  }
  if (const auto list = type->cast<c10::ListType>()) {
    parameter.isList = true;
    type = parameter.elementType = list->getElementType();
    if (argument.N()) parameter.repeats = *argument.N();
    if (const auto optional = type->cast<c10::OptionalType>()) {
      parameter.hasHoles = true;
      type = optional->getElementType();
    }
  }
  parameter.kind = type->kind();
  if (argument.default_value()) {
    parameter.hasDefault = true;
    parameter.defaultValue = *argument.default_value();
  }
  return parameter;
}

/// What a result is, since a tensor and a number both arrive as numbers.
inline const char* digestReturn(const c10::Argument& result) {
  const c10::TypePtr type = result.type();
  if (type->kind() == c10::TypeKind::TensorType) return "tensor";
  const auto list = type->cast<c10::ListType>();
  return list && list->getElementType()->kind() == c10::TypeKind::TensorType ? "tensors" : "value";
}

/// find("add.Tensor") → index, or -1 where this libtorch has no such operator.
inline napi_value find(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const std::string given = toString(env, argv[0]);
  const auto known = engine.operatorIndex.find(given);
  if (known != engine.operatorIndex.end()) return js(env, int64_t(known->second));
  const size_t dot = given.rfind('.');
  std::string name = given.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : given.substr(dot + 1);
  if (name.find("::") == std::string::npos) name = "aten::" + name;
  const auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!handle) return js(env, int64_t(-1));
  Operator op{*handle, overload.empty() ? name : name + "." + overload, {}, {}};
  for (const c10::Argument& argument : handle->schema().arguments()) op.parameters.push_back(digest(argument));
  for (const c10::Argument& result : handle->schema().returns()) op.returns.push_back(digestReturn(result));
  engine.operators.push_back(std::move(op));
  engine.operatorIndex[given] = uint32_t(engine.operators.size() - 1);
  return js(env, int64_t(engine.operators.size() - 1));
}

inline Operator& operatorOf(napi_env env, Engine& engine, napi_value v) {
  const int64_t index = toInt(env, v);
  if (index < 0 || size_t(index) >= engine.operators.size()) throw BadArgument("no operator has this index");
  return engine.operators[size_t(index)];
}

/// A default of a type that JavaScript has, else null (a device or generator is never one).
inline napi_value defaultOf(napi_env env, Engine& engine, const Parameter& parameter) {
  return parameter.hasDefault ? toJs(env, engine, parameter.defaultValue) : jsNull(env);
}

/// schema(index) → { name, text, parameters: [{ name, default }], returns: ['tensor' | 'tensors' | 'value'] }
inline napi_value schema(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const Operator& op = operatorOf(env, engine, argv[0]);
  std::ostringstream text;
  text << op.handle.schema();
  const napi_value parameters = jsArray(env, op.parameters.size());
  for (size_t i = 0; i < op.parameters.size(); i++) {
    const napi_value each = jsObject(env);
    set(env, each, "name", js(env, op.parameters[i].name));
    set(env, each, "default", defaultOf(env, engine, op.parameters[i]));
    set(env, parameters, i, each);
  }
  const napi_value returns = jsArray(env, op.returns.size());
  for (size_t i = 0; i < op.returns.size(); i++) set(env, returns, i, js(env, std::string(op.returns[i])));
  const napi_value result = jsObject(env);
  set(env, result, "name", js(env, op.name));
  set(env, result, "text", js(env, text.str()));
  set(env, result, "parameters", parameters);
  set(env, result, "returns", returns);
  return result;
}

/// names() → every operator that this libtorch has registered.
inline napi_value names(napi_env env, Engine&, size_t, napi_value*) {
  const auto all = c10::Dispatcher::singleton().getAllOpNames();
  const napi_value result = jsArray(env, all.size());
  for (size_t i = 0; i < all.size(); i++) {
    const std::string& overload = all[i].overload_name;
    set(env, result, i, js(env, overload.empty() ? all[i].name : all[i].name + "." + overload));
  }
  return result;
}

/// The arguments of one call; bit i of `handles` says that argument i is a tensor or generator, or a list of them.
struct Given {
  size_t count;
  napi_value* values;
  uint64_t handles;
  bool isHandle(size_t i) const { return handles >> i & 1; }
};

/// "self=float32[2, 2], other=…": read from JavaScript again, since a failed kernel may have eaten the stack.
inline std::string describeCall(napi_env env, Engine& engine, const Operator& op, const Given& given) {
  std::ostringstream out;
  size_t read = 0;
  for (size_t i = 0; i < op.parameters.size() && i < given.count; i++) {
    if (typeOf(env, given.values[i]) == napi_undefined) continue;
    out << (out.tellp() > 0 ? ", " : "") << op.parameters[i].name << "=";
    try {
      describe(out, toArgument(env, engine, op.parameters[i], given.values[i], given.isHandle(i), read));
    } catch (const std::exception&) {
      out << (given.isHandle(i) ? "a tensor or generator" : typeName(env, given.values[i]));
    }
  }
  return out.str();
}

inline void pushArguments(napi_env env, Engine& engine, const Operator& op, const Given& given,
                          torch::jit::Stack& stack) {
  const size_t count = op.parameters.size();
  if (given.count > count)
    throw BadArgument(std::to_string(given.count) + " arguments for " + std::to_string(count) + " parameters");
  size_t read = 0;
  const napi_value missing = given.count < count ? jsUndefined(env) : nullptr;
  for (size_t i = 0; i < count; i++) {
    try {
      const napi_value value = i < given.count ? given.values[i] : missing;
      stack.push_back(toArgument(env, engine, op.parameters[i], value, given.isHandle(i), read));
    } catch (const BadArgument& error) {
      throw BadArgument("argument " + op.parameters[i].name + ": " + error.what());
    }
  }
}

inline napi_value resultsOf(napi_env env, Engine& engine, const torch::jit::Stack& stack) {
  if (stack.empty()) return jsUndefined(env);
  if (stack.size() == 1) return toJs(env, engine, stack[0]);
  const napi_value results = jsArray(env, stack.size());
  for (size_t i = 0; i < stack.size(); i++) set(env, results, i, toJs(env, engine, stack[i]));
  return results;
}

/// Leaves nothing on the stack, whatever happened: what lies there is kept alive.
struct CleanStack {
  torch::jit::Stack& stack;
  ~CleanStack() { stack.clear(); }
};

/// call(index, handles, …arguments): the one door to every operator.
inline napi_value call(napi_env env, Engine& engine, size_t argc, napi_value* argv) {
  const Operator& op = operatorOf(env, engine, argv[0]);
  const Given given{argc - 2, argv + 2, uint64_t(toNumber(env, argv[1]))};
  return guard(
      env, op.name,
      [&] {
        const CleanStack clean{engine.stack};
        pushArguments(env, engine, op, given, engine.stack);
        op.handle.callBoxed(engine.stack);
        return resultsOf(env, engine, engine.stack);
      },
      [&] { return describeCall(env, engine, op, given); });
}

}  // namespace larmor
