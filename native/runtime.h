// The library as a whole: modes, random generators, threads, memory, switches.
#pragma once

#include "convert.h"

namespace larmor {

/// gradMode(on) → what it was; holds for this thread
inline napi_value gradMode(napi_env env, Engine&, size_t, napi_value* argv) {
  const bool was = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(toBool(env, argv[0]));
  return js(env, was);
}

#if TORCH_AT_LEAST(2, 4)
inline bool isAutocast(at::DeviceType device) { return at::autocast::is_autocast_enabled(device); }
inline at::ScalarType autocastDtype(at::DeviceType device) { return at::autocast::get_autocast_dtype(device); }
inline void setAutocast(at::DeviceType device, bool on, at::ScalarType dtype) {
  at::autocast::set_autocast_dtype(device, dtype);
  at::autocast::set_autocast_enabled(device, on);
}
#else
inline bool isAutocast(at::DeviceType device) {
  return device == at::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}
inline at::ScalarType autocastDtype(at::DeviceType device) {
  return device == at::kCPU ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
inline void setAutocast(at::DeviceType device, bool on, at::ScalarType dtype) {
  if (device == at::kCPU) {
    at::autocast::set_autocast_cpu_dtype(dtype);
    at::autocast::set_cpu_enabled(on);
  } else {
    at::autocast::set_autocast_gpu_dtype(dtype);
    at::autocast::set_enabled(on);
  }
}
#endif

/// autocast(device, dtype or null for off) → what it was, in the same form; holds for this thread
inline napi_value autocast(napi_env env, Engine&, size_t, napi_value* argv) {
  const at::DeviceType device = deviceOf(toString(env, argv[0])).type();
  const at::ScalarType before = autocastDtype(device);
  const napi_value was = isAutocast(device) ? js(env, std::string(nameOf(before))) : jsNull(env);
  const bool on = !isNullish(env, argv[1]);
  setAutocast(device, on, on ? dtypeOf(toString(env, argv[1])) : before);
  if (!on) at::autocast::clear_cache();  // it holds casts of the weights, which the optimiser changes in place
  return was;
}

/// generator(device, seed) → a fresh one: a clone of the device's default one needs no header of CUDA
inline napi_value generator(napi_env env, Engine& engine, size_t, napi_value* argv) {
  at::Generator fresh = at::globalContext().defaultGenerator(deviceOf(toString(env, argv[0]))).clone();
  fresh.set_current_seed(uint64_t(toInt(env, argv[1])));
  return wrap(env, engine, fresh);
}

/// generatorState(generator) → uint8 tensor
inline napi_value generatorState(napi_env env, Engine& engine, size_t, napi_value* argv) {
  return wrap(env, engine, generatorOf(env, engine, argv[0]).get_state());
}

inline napi_value setGeneratorState(napi_env env, Engine& engine, size_t, napi_value* argv) {
  generatorOf(env, engine, argv[0]).set_state(tensorOf(env, engine, argv[1]));
  return jsUndefined(env);
}

/// threads([count]) → how many threads one operator uses
inline napi_value threads(napi_env env, Engine&, size_t argc, napi_value* argv) {
  if (argc) at::set_num_threads(int(toInt(env, argv[0])));
  return js(env, int64_t(at::get_num_threads()));
}

/// memory() → { tensors, bytes } of what JavaScript holds in this environment
inline napi_value memory(napi_env env, Engine& engine, size_t, napi_value*) {
  const napi_value result = jsObject(env);
  set(env, result, "tensors", js(env, int64_t(engine.live())));
  set(env, result, "bytes", js(env, int64_t(engine.bytes())));
  return result;
}

inline napi_value liveTensors(napi_env env, Engine& engine, size_t, napi_value*) {
  return js(env, int64_t(engine.live()));
}

/// deviceMemory(device) → { allocated, peak, reserved } in bytes, or null where this libtorch does not say
inline napi_value deviceMemory(napi_env env, Engine&, size_t, napi_value* argv) {
  [[maybe_unused]] const at::Device device = deviceOf(toString(env, argv[0]));
#if TORCH_AT_LEAST(2, 9)
  if (!device.is_cpu() && at::globalContext().hasCUDA()) {
    at::globalContext().lazyInitDevice(device.type());
    const auto index = device.has_index() ? device.index() : c10::DeviceIndex(0);
    const auto stats = at::getDeviceAllocator(device.type())->getDeviceStats(index);
    const napi_value result = jsObject(env);
    set(env, result, "allocated", js(env, int64_t(stats.allocated_bytes[0].current)));
    set(env, result, "peak", js(env, int64_t(stats.allocated_bytes[0].peak)));
    set(env, result, "reserved", js(env, int64_t(stats.reserved_bytes[0].current)));
    return result;
  }
#endif
  return jsNull(env);
}

/// flag(name, on): a switch of the whole process
inline napi_value flag(napi_env env, Engine&, size_t, napi_value* argv) {
  const std::string name = toString(env, argv[0]);
  const bool on = toBool(env, argv[1]);
  auto& context = at::globalContext();
  if (name == "cudnnBenchmark") {
    context.setBenchmarkCuDNN(on);
  } else if (name == "tf32") {
    context.setAllowTF32CuDNN(on);
    context.setAllowTF32CuBLAS(on);
  } else if (name == "deterministic") {
    context.setDeterministicAlgorithms(on, /*warn_only=*/false);
  } else {
    throw BadArgument("no switch is called '" + name + "'");
  }
  return jsUndefined(env);
}

/// buildInfo() → what libtorch says of how it was built, in its own words
inline napi_value buildInfo(napi_env env, Engine&, size_t, napi_value*) { return js(env, at::show_config()); }

/// shareLists(Float64Array): where callers write the handles of a call's lists; until another takes its place
inline napi_value shareLists(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const Bytes bytes = bytesOf(env, argv[0]);
  if (engine.listMemory) check(napi_delete_reference(env, engine.listMemory));
  check(napi_create_reference(env, argv[0], 1, &engine.listMemory));
  engine.listed = static_cast<const double*>(bytes.data);
  engine.listedRoom = bytes.size / sizeof(double);
  return jsUndefined(env);
}

/// install(makeFault): the function that makes the errors which the gate throws
inline napi_value install(napi_env env, Engine& engine, size_t, napi_value* argv) {
  if (typeOf(env, argv[0]) != napi_function) refuse(env, argv[0], "a function");
  check(napi_create_reference(env, argv[0], 1, &engine.makeFault));
  return jsUndefined(env);
}

}  // namespace larmor
