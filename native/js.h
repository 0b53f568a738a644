// JavaScript values in and out: the few N-API calls that the addon needs, with their status checked.
#pragma once

#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace larmor {

/// A JavaScript exception is already pending: unwind to the entry point and return.
struct Pending {};

/// An argument from JavaScript is not what the operator's schema asks for.
struct BadArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check(napi_status status) {
  if (status == napi_ok) return;
  if (status == napi_pending_exception) throw Pending{};
  throw std::runtime_error("N-API status " + std::to_string(status));
}

inline napi_valuetype typeOf(napi_env env, napi_value v) {
  napi_valuetype type;
  check(napi_typeof(env, v, &type));
  return type;
}

inline bool isNullish(napi_env env, napi_value v) {
  const napi_valuetype type = typeOf(env, v);
  return type == napi_undefined || type == napi_null;
}

inline bool isArray(napi_env env, napi_value v) {
  bool is = false;
  check(napi_is_array(env, v, &is));
  return is;
}

inline const char* typeName(napi_env env, napi_value v) {
  switch (typeOf(env, v)) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return "a boolean";
    case napi_number: return "a number";
    case napi_string: return "a string";
    case napi_function: return "a function";
    case napi_bigint: return "a bigint";
    case napi_symbol: return "a symbol";
    default: return isArray(env, v) ? "an array" : "an object";
  }
}

[[noreturn]] inline void refuse(napi_env env, napi_value v, const char* expected) {
  throw BadArgument(std::string("expected ") + expected + ", got " + typeName(env, v));
}

inline std::string toString(napi_env env, napi_value v) {
  if (typeOf(env, v) != napi_string) refuse(env, v, "a string");
  size_t length = 0;
  check(napi_get_value_string_utf8(env, v, nullptr, 0, &length));
  std::string text(length, '\0');
  check(napi_get_value_string_utf8(env, v, &text[0], length + 1, &length));
  return text;
}

/// Asked before any other type: nearly every value that is no tensor is one, and a call of N-API has its price.
inline bool isNumber(napi_env env, napi_value v, double& number) {
  return napi_get_value_double(env, v, &number) == napi_ok;
}

inline double toNumber(napi_env env, napi_value v) {
  double number;
  if (!isNumber(env, v, number)) refuse(env, v, "a number");
  return number;
}

inline bool toBool(napi_env env, napi_value v) {
  bool flag;
  if (napi_get_value_bool(env, v, &flag) != napi_ok) refuse(env, v, "a boolean");
  return flag;
}

inline int64_t toBigint(napi_env env, napi_value v) {
  int64_t number;
  bool lossless = false;
  check(napi_get_value_bigint_int64(env, v, &number, &lossless));
  if (!lossless) throw BadArgument("expected an integer of 64 bits, got a larger bigint");
  return number;
}

inline uint32_t lengthOf(napi_env env, napi_value array) {
  uint32_t length = 0;
  if (napi_get_array_length(env, array, &length) != napi_ok) refuse(env, array, "an array");
  return length;
}

inline napi_value elementOf(napi_env env, napi_value array, uint32_t i) {
  napi_value v;
  check(napi_get_element(env, array, i, &v));
  return v;
}

inline napi_value jsUndefined(napi_env env) {
  napi_value v;
  check(napi_get_undefined(env, &v));
  return v;
}

inline napi_value jsNull(napi_env env) {
  napi_value v;
  check(napi_get_null(env, &v));
  return v;
}

inline napi_value js(napi_env env, const std::string& text) {
  napi_value v;
  check(napi_create_string_utf8(env, text.data(), text.size(), &v));
  return v;
}

inline napi_value js(napi_env env, double number) {
  napi_value v;
  check(napi_create_double(env, number, &v));
  return v;
}

inline napi_value js(napi_env env, bool flag) {
  napi_value v;
  check(napi_get_boolean(env, flag, &v));
  return v;
}

/// A number where it is exact, a bigint beyond 2⁵³.
inline napi_value js(napi_env env, int64_t number) {
  constexpr int64_t exact = (int64_t(1) << 53) - 1;
  napi_value v;
  const bool isExact = number >= -exact && number <= exact;
  check(isExact ? napi_create_int64(env, number, &v) : napi_create_bigint_int64(env, number, &v));
  return v;
}

inline napi_value jsArray(napi_env env, size_t length) {
  napi_value array;
  check(napi_create_array_with_length(env, length, &array));
  return array;
}

inline napi_value jsObject(napi_env env) {
  napi_value object;
  check(napi_create_object(env, &object));
  return object;
}

inline void set(napi_env env, napi_value array, size_t i, napi_value v) {
  check(napi_set_element(env, array, uint32_t(i), v));
}

inline void set(napi_env env, napi_value object, const char* name, napi_value v) {
  check(napi_set_named_property(env, object, name, v));
}

struct Bytes {
  void* data = nullptr;
  size_t size = 0;
};

/// The bytes behind a typed array: JavaScript's own memory, valid during this call only.
inline Bytes bytesOf(napi_env env, napi_value v) {
  bool is = false;
  check(napi_is_typedarray(env, v, &is));
  if (!is) refuse(env, v, "a typed array");
  static const size_t itemSize[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};  // in the order of napi_typedarray_type
  napi_typedarray_type type;
  Bytes bytes;
  size_t length = 0;
  check(napi_get_typedarray_info(env, v, &type, &length, &bytes.data, nullptr, nullptr));
  if (size_t(type) >= sizeof(itemSize) / sizeof(*itemSize)) throw BadArgument("this kind of typed array is not known");
  bytes.size = length * itemSize[type];
  return bytes;
}

}  // namespace larmor
