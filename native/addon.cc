// The addon's table of exports, and what happens when an environment loads it.

#ifdef __linux__
#include <malloc.h>
#endif

#include <climits>
#include <memory>

#include "operators.h"
#include "runtime.h"
#include "tensors.h"

namespace larmor {

struct Export {
  const char* name;
  napi_callback function;
};

const Export exportTable[] = {
    {"find", entry<find>},
    {"schema", entry<schema>},
    {"names", entry<names>},
    {"call", entry<call>},
    {"fromBytes", entry<fromBytes>},
    {"readInto", entry<readInto>},
    {"item", entry<item>},
    {"shape", entry<shape>},
    {"dtype", entry<dtype>},
    {"device", entry<device>},
    {"requiresGrad", entry<requiresGrad>},
    {"gradOf", entry<gradOf>},
    {"backward", entry<backward>},
    {"gradients", entry<gradients>},
    {"scopeBegin", entry<scopeBegin>},
    {"scopeEnd", entry<scopeEnd>},
    {"keep", entry<keep>},
    {"dispose", entry<dispose>},
    {"gradMode", entry<gradMode>},
    {"autocast", entry<autocast>},
    {"generator", entry<generator>},
    {"generatorState", entry<generatorState>},
    {"setGeneratorState", entry<setGeneratorState>},
    {"threads", entry<threads>},
    {"memory", entry<memory>},
    {"liveTensors", entry<liveTensors>},
    {"deviceMemory", entry<deviceMemory>},
    {"flag", entry<flag>},
    {"buildInfo", entry<buildInfo>},
    {"shareLists", entry<shareLists>},
    {"install", entry<install>},
};

/// glibc gives large freed blocks back to the kernel by default, so that every activation and gradient is mapped
/// and page-faulted anew at each step: a tenth of a training step (LOG.md, "allocator").
void keepFreedBlocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

/// NNPACK is asked for small convolutions on one thread; where it does not know the processor it says so at every call.
template <typename Context>
auto withoutNnpack(Context& context, int) -> decltype(context.setUserEnabledNNPACK(false)) {
  context.setUserEnabledNNPACK(false);
}
template <typename Context>
void withoutNnpack(Context&, long) {}  // before libtorch could be told

/// Grows when what src/tensor may expect of these functions changes: an addon of an earlier checkout is not used.
constexpr int protocol = 3;

napi_value load(napi_env env, napi_value exports) {
  keepFreedBlocks();
  withoutNnpack(at::globalContext(), 0);
  auto engine = std::make_unique<Engine>();  // one for each environment: the main thread, every worker
  const auto close = [](napi_env, void* data, void*) { delete static_cast<Engine*>(data); };
  check(napi_set_instance_data(env, engine.get(), close, nullptr));
  engine.release();  // the environment owns it now
  for (const Export& each : exportTable) {
    napi_value function;
    void* name = const_cast<char*>(each.name);
    check(napi_create_function(env, each.name, NAPI_AUTO_LENGTH, each.function, name, &function));
    set(env, exports, each.name, function);
  }
  set(env, exports, "protocol", js(env, int64_t(protocol)));
  set(env, exports, "version", js(env, std::string(TORCH_VERSION)));
  set(env, exports, "hasCuda", js(env, at::globalContext().hasCUDA()));
  return exports;
}

}  // namespace larmor

NAPI_MODULE_INIT() {
  return larmor::guard(
      env, "load", [&] { return larmor::load(env, exports); }, [] { return std::string(); });
}
