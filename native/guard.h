// The gate: every exported function runs inside guard(), and a C++ exception leaves as one typed JavaScript error.
#pragma once

#include <cstring>
#include <new>

#include "engine.h"

namespace larmor {

/// Throws in JavaScript what `makeFault(kind, operator, message, given)` returns; src/tensor installs that function.
inline void throwFault(napi_env env, const char* kind, const std::string& op, const char* message,
                       const std::string& given) {
  bool isPending = false;
  napi_is_exception_pending(env, &isPending);
  if (isPending) return;
  void* instance = nullptr;
  napi_value makeFault = nullptr, self, error;
  if (napi_get_instance_data(env, &instance) == napi_ok && instance && static_cast<Engine*>(instance)->makeFault)
    napi_get_reference_value(env, static_cast<Engine*>(instance)->makeFault, &makeFault);
  if (!makeFault) {
    napi_throw_error(env, kind, message);
    return;
  }
  napi_value arguments[] = {js(env, std::string(kind)), js(env, op), js(env, std::string(message)), js(env, given)};
  napi_get_undefined(env, &self);
  if (napi_call_function(env, self, makeFault, 4, arguments, &error) == napi_ok) napi_throw(env, error);
}

/// libtorch's allocator for the CPU has no exception of its own type.
inline bool isOutOfMemory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
         std::strstr(error.what_without_backtrace(), "DefaultCPUAllocator");
}

/// `given()` describes the arguments in words; it is called only when something went wrong.
template <typename Body, typename Given>
napi_value guard(napi_env env, const std::string& op, Body&& body, Given&& given) {
  try {
    return body();
  } catch (const Pending&) {
  } catch (const BadArgument& error) {
    throwFault(env, "native.argument", op, error.what(), given());
  } catch (const c10::Error& error) {
    const char* kind = isOutOfMemory(error) ? "machine.outOfMemory" : "native.torch";
    throwFault(env, kind, op, error.what_without_backtrace(), given());
  } catch (const std::bad_alloc& error) {
    throwFault(env, "machine.outOfMemory", op, error.what(), given());
  } catch (const std::exception& error) {
    throwFault(env, "native.torch", op, error.what(), given());
  }
  return nullptr;
}

using Function = napi_value (*)(napi_env, Engine&, size_t, napi_value*);

/// What Node calls: collects the arguments and runs `function` inside the gate. `data` is the exported name.
template <Function function>
napi_value entry(napi_env env, napi_callback_info info) {
  constexpr size_t most = 48;  // no ATen operator takes as many
  napi_value argv[most];
  size_t argc = most;
  void* name = nullptr;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, &name) != napi_ok) return nullptr;
  return guard(
      env, static_cast<const char*>(name), [&] { return function(env, engineOf(env), argc, argv); },
      [] { return std::string(); });
}

}  // namespace larmor
