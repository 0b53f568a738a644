// What of libtorch the addon sees: narrow headers, since torch/torch.h alone takes half a minute to compile.
#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ScalarOps.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/autograd/autograd.h>

#define TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#if TORCH_AT_LEAST(2, 9)
#include <c10/core/CachingDeviceAllocator.h>
#endif

#include <string>
#include <unordered_map>

// ATen/autocast_mode.h includes every operator; these declarations are all that is needed of it.
namespace at::autocast {
#if TORCH_AT_LEAST(2, 4)
TORCH_API bool is_autocast_enabled(at::DeviceType device);
TORCH_API void set_autocast_enabled(at::DeviceType device, bool enabled);
TORCH_API at::ScalarType get_autocast_dtype(at::DeviceType device);
TORCH_API void set_autocast_dtype(at::DeviceType device, at::ScalarType dtype);
#else  // one set of functions for each device
TORCH_API bool is_enabled();
TORCH_API bool is_cpu_enabled();
TORCH_API void set_enabled(bool enabled);
TORCH_API void set_cpu_enabled(bool enabled);
TORCH_API at::ScalarType get_autocast_gpu_dtype();
TORCH_API at::ScalarType get_autocast_cpu_dtype();
TORCH_API void set_autocast_gpu_dtype(at::ScalarType dtype);
TORCH_API void set_autocast_cpu_dtype(at::ScalarType dtype);
#endif
TORCH_API void clear_cache();
}  // namespace at::autocast

namespace larmor {

struct DtypeName {
  const char* name;
  at::ScalarType type;
};

inline const DtypeName dtypeNames[] = {
    {"float32", at::kFloat}, {"float64", at::kDouble}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},    {"int32", at::kInt},      {"int16", at::kShort},  {"int8", at::kChar},
    {"uint8", at::kByte},    {"bool", at::kBool},      {"complex64", at::kComplexFloat},
};

inline const char* nameOf(at::ScalarType type) {
  for (const DtypeName& each : dtypeNames)
    if (each.type == type) return each.name;
  return c10::toString(type);
}

inline at::ScalarType dtypeOf(const std::string& name) {
  for (const DtypeName& each : dtypeNames)
    if (name == each.name) return each.type;
  throw BadArgument("expected a dtype, got '" + name + "'");
}

/// ScalarType, MemoryFormat and Layout read as int in a schema; from JavaScript they come as names.
inline int64_t enumOf(const std::string& name) {
  static const std::unordered_map<std::string, int64_t> others = {
      {"contiguous_format", int64_t(at::MemoryFormat::Contiguous)},
      {"preserve_format", int64_t(at::MemoryFormat::Preserve)},
      {"channels_last", int64_t(at::MemoryFormat::ChannelsLast)},
      {"channels_last_3d", int64_t(at::MemoryFormat::ChannelsLast3d)},
      {"strided", int64_t(at::Layout::Strided)},
  };
  const auto other = others.find(name);
  return other != others.end() ? other->second : int64_t(dtypeOf(name));
}

inline at::Device deviceOf(const std::string& name) {
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    throw BadArgument("expected a device such as 'cpu' or 'cuda:0', got '" + name + "'");
  }
}

}  // namespace larmor
