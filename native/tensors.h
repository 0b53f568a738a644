// Tensors: made from and read into typed arrays, looked at, differentiated, freed.
#pragma once

#include <cstring>

#include "convert.h"

namespace larmor {

/// A tensor over memory that JavaScript owns: for the length of one copy.
inline Tensor overBytes(Bytes bytes, at::IntArrayRef shape, at::ScalarType dtype) {
  const size_t itemSize = c10::elementSize(dtype);
  if (reinterpret_cast<uintptr_t>(bytes.data) % itemSize != 0)
    throw BadArgument("the typed array does not begin at a multiple of " + std::to_string(itemSize) + " bytes");
  return at::from_blob(bytes.data, shape, at::TensorOptions(dtype));
}

inline void checkSize(Bytes bytes, int64_t count, at::ScalarType dtype) {
  const size_t needed = size_t(count) * c10::elementSize(dtype);
  if (bytes.size != needed)
    throw BadArgument("the typed array has " + std::to_string(bytes.size) + " bytes, the shape needs " +
                      std::to_string(needed));
}

/// fromBytes(typedArray, its dtype, shape, dtype, device) → tensor: one copy, which also converts.
inline napi_value fromBytes(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const Bytes bytes = bytesOf(env, argv[0]);
  const at::ScalarType from = dtypeOf(toString(env, argv[1]));
  const std::vector<int64_t> shape = toInts(env, argv[2]);
  const at::TensorOptions options = at::TensorOptions(dtypeOf(toString(env, argv[3]))).device(deviceOf(toString(env, argv[4])));
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0) throw BadArgument("a shape has no negative sizes");
    count *= size;
  }
  checkSize(bytes, count, from);
  if (count == 0) return wrap(env, engine, at::empty(shape, options));
  return wrap(env, engine, overBytes(bytes, shape, from).to(options, /*non_blocking=*/false, /*copy=*/true));
}

/// readInto(tensor, typedArray): its values in C order, in one copy from whatever layout or device it has.
inline napi_value readInto(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const Tensor t = tensorOf(env, engine, argv[0]).detach();
  const Bytes bytes = bytesOf(env, argv[1]);
  checkSize(bytes, t.numel(), t.scalar_type());
  if (t.numel() == 0) return jsUndefined(env);
  if (t.is_cpu() && t.is_contiguous() && !t.is_conj() && !t.is_neg()) std::memcpy(bytes.data, t.data_ptr(), bytes.size);
  else overBytes(bytes, t.sizes(), t.scalar_type()).copy_(t);
  return jsUndefined(env);
}

/// item(tensor of one element) → number or boolean
inline napi_value item(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const c10::Scalar scalar = tensorOf(env, engine, argv[0]).item();
  if (scalar.isBoolean()) return js(env, scalar.toBool());
  return scalar.isIntegral(false) ? js(env, scalar.toLong()) : js(env, scalar.toDouble());
}

inline napi_value shape(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const auto sizes = tensorOf(env, engine, argv[0]).sizes();
  const napi_value result = jsArray(env, sizes.size());
  for (size_t i = 0; i < sizes.size(); i++) set(env, result, i, js(env, sizes[i]));
  return result;
}

inline napi_value dtype(napi_env env, Engine& engine, size_t, napi_value* argv) {
  return js(env, std::string(nameOf(tensorOf(env, engine, argv[0]).scalar_type())));
}

inline napi_value device(napi_env env, Engine& engine, size_t, napi_value* argv) {
  return js(env, tensorOf(env, engine, argv[0]).device().str());
}

/// requiresGrad(tensor[, on]) → whether it does
inline napi_value requiresGrad(napi_env env, Engine& engine, size_t argc, napi_value* argv) {
  const Tensor& t = tensorOf(env, engine, argv[0]);
  if (argc > 1) t.set_requires_grad(toBool(env, argv[1]));
  return js(env, t.requires_grad());
}

/// gradOf(tensor[, null]) → what backward() accumulated, or null; null as second argument forgets it
inline napi_value gradOf(napi_env env, Engine& engine, size_t argc, napi_value* argv) {
  const Tensor& t = tensorOf(env, engine, argv[0]);
  if (argc > 1) t.mutable_grad() = Tensor();
  return toJs(env, engine, t.grad());
}

inline std::vector<Tensor> toTensors(napi_env env, Engine& engine, napi_value v) {
  std::vector<Tensor> tensors(lengthOf(env, v));
  for (uint32_t i = 0; i < tensors.size(); i++) tensors[i] = tensorOf(env, engine, elementOf(env, v, i));
  return tensors;
}

/// backward(outputs, seeds, keepGraph, createGraph): adds to the gradient of every leaf
inline napi_value backward(napi_env env, Engine& engine, size_t, napi_value* argv) {
  torch::autograd::backward(toTensors(env, engine, argv[0]), toTensors(env, engine, argv[1]), toBool(env, argv[2]),
                            toBool(env, argv[3]));
  return jsUndefined(env);
}

/// gradients(outputs, inputs, seeds, keepGraph, createGraph) → tensors, null for an input that does not take part
inline napi_value gradients(napi_env env, Engine& engine, size_t, napi_value* argv) {
  const auto grads = torch::autograd::grad(toTensors(env, engine, argv[0]), toTensors(env, engine, argv[1]),
                                           toTensors(env, engine, argv[2]), toBool(env, argv[3]), toBool(env, argv[4]),
                                           /*allow_unused=*/true);
  const napi_value result = jsArray(env, grads.size());
  for (size_t i = 0; i < grads.size(); i++) set(env, result, i, toJs(env, engine, grads[i]));
  return result;
}

inline napi_value scopeBegin(napi_env env, Engine& engine, size_t, napi_value*) {
  engine.scopes.emplace_back();
  return jsUndefined(env);
}

/// scopeEnd(results): frees what was made since scopeBegin, but for `results` and what is pinned
inline napi_value scopeEnd(napi_env env, Engine& engine, size_t, napi_value* argv) {
  if (engine.scopes.empty()) throw BadArgument("no scope is open");
  const std::vector<Handle> made = std::move(engine.scopes.back());
  engine.scopes.pop_back();
  const bool isOutermost = engine.scopes.empty();
  std::vector<Handle> results(lengthOf(env, argv[0]));
  for (uint32_t i = 0; i < results.size(); i++) {
    results[i] = handleOf(env, elementOf(env, argv[0], i));
    Slot* slot = engine.find(results[i]);
    if (slot && isOutermost) pin(env, *slot);
    else if (slot) slot->isLeaving = true;
  }
  for (const Handle handle : made) {
    Slot* slot = engine.find(handle);
    if (!slot || slot->isPinned) continue;
    if (slot->isLeaving) engine.scopes.back().push_back(handle);
    else engine.release(*slot);
  }
  // Also those that an outer scope made: they leave this one, not that.
  for (const Handle handle : results)
    if (Slot* slot = engine.find(handle)) slot->isLeaving = false;
  return jsUndefined(env);
}

/// keep(tensor): it outlives its scope
inline napi_value keep(napi_env env, Engine& engine, size_t, napi_value* argv) {
  pin(env, slotOf(env, engine, argv[0]));
  return jsUndefined(env);
}

inline napi_value dispose(napi_env env, Engine& engine, size_t, napi_value* argv) {
  Slot* slot = engine.find(handleOf(env, argv[0]));
  if (!slot) return jsUndefined(env);
  if (slot->isPinned) reportBytes(env, -slot->reportedBytes);
  engine.release(*slot);
  return jsUndefined(env);
}

}  // namespace larmor
