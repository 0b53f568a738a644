// What one JavaScript environment holds: tensors and generators in slots, open scopes, digested operators.
//
// JavaScript gets a number made of a slot's place and generation, never a pointer: a handle that was freed is an error
// message, not a crash. A number costs less than any object; src/tensor keeps it closed and says of every argument
// whether it is one. Only what outlives every scope is watched by the garbage collector (src/tensor/tensor.ts), and only
// that is reported to V8 as external memory.
#pragma once

#include <deque>
#include <unordered_set>
#include <vector>

#include "js.h"
#include "torch.h"

namespace larmor {

using at::Tensor;
using c10::IValue;

/// One parameter of an operator, digested once so that a call walks no types.
struct Parameter {
  std::string name;
  c10::TypeKind kind;          // of the element if `isList`
  bool isOptional = false;     // T?
  bool isList = false;         // T[]
  bool hasHoles = false;       // T?[]
  int repeats = 1;             // int[2] takes one number, twice
  c10::TypePtr elementType;
  bool hasDefault = false;
  IValue defaultValue;
};

struct Operator {
  c10::OperatorHandle handle;
  std::string name;            // "aten::add.Tensor"
  std::vector<Parameter> parameters;
  std::vector<const char*> returns;  // of each result: "tensor", "tensors" or "value"
};

using Handle = uint64_t;       // generation << 24 | slot + 1: below 2⁴⁷, so a double holds it exactly

struct Slot {
  IValue value;                // a Tensor or a Generator
  uint32_t generation = 0;
  bool isPinned = false;       // outlives the scope it was made in
  bool isLeaving = false;      // is a result of the scope that ends now
  int64_t reportedBytes = 0;
};

class Engine {
 public:
  std::vector<std::vector<Handle>> scopes;
  torch::jit::Stack stack;         // of the running call; kept, since a new one for each costs an allocation
  std::deque<Operator> operators;  // grows without moving what a running call refers to
  std::unordered_map<std::string, uint32_t> operatorIndex;
  napi_ref makeFault = nullptr;
  napi_ref listMemory = nullptr;   // keeps alive what `listed` points into
  const double* listed = nullptr;  // handles in the lists of the running call, one list after the other, 0 for a hole
  size_t listedRoom = 0;

  Handle add(IValue value) {
    uint32_t i;
    if (freeSlots_.empty()) {
      if (slots_.size() >= slotMask) throw std::runtime_error("more than 16 million tensors are alive");
      i = uint32_t(slots_.size());
      slots_.emplace_back();
    } else {
      i = freeSlots_.back();
      freeSlots_.pop_back();
    }
    slots_[i].value = std::move(value);
    live_++;
    return Handle(slots_[i].generation & generationMask) << 24 | (i + 1);
  }

  /// nullptr if what the handle named was freed.
  Slot* find(Handle handle) {
    const size_t i = size_t(handle & slotMask) - 1;
    if (i >= slots_.size()) return nullptr;
    Slot& slot = slots_[i];
    return (slot.generation & generationMask) == handle >> 24 && !slot.value.isNone() ? &slot : nullptr;
  }

  void release(Slot& slot) {
    slot.value = IValue();
    slot.generation++;
    slot.isPinned = slot.isLeaving = false;
    slot.reportedBytes = 0;
    freeSlots_.push_back(uint32_t(&slot - slots_.data()));
    live_--;
  }

  size_t live() const { return live_; }

  /// Bytes of all storages that live tensors refer to, each counted once.
  size_t bytes() const {
    std::unordered_set<const void*> seen;
    size_t sum = 0;
    for (const Slot& slot : slots_) {
      if (!slot.value.isTensor() || !slot.value.toTensor().has_storage()) continue;
      const at::Storage& storage = slot.value.toTensor().storage();
      if (seen.insert(storage.unsafeGetStorageImpl()).second) sum += storage.nbytes();
    }
    return sum;
  }

 private:
  static constexpr Handle slotMask = 0xffffff;
  static constexpr uint32_t generationMask = 0x7fffff;
  std::vector<Slot> slots_;
  std::vector<uint32_t> freeSlots_;
  size_t live_ = 0;
};

inline Engine& engineOf(napi_env env) {
  void* data = nullptr;
  check(napi_get_instance_data(env, &data));
  return *static_cast<Engine*>(data);
}

inline void reportBytes(napi_env env, int64_t change) {
  int64_t total;
  check(napi_adjust_external_memory(env, change, &total));
}

inline Handle handleOf(napi_env env, napi_value v) {
  double handle;
  if (napi_get_value_double(env, v, &handle) != napi_ok) refuse(env, v, "a tensor or generator");
  if (handle < 0) throw BadArgument("expected a tensor or generator, got a list");
  return Handle(handle);
}

inline Slot& slotOf(Engine& engine, Handle handle) {
  Slot* slot = engine.find(handle);
  if (!slot) throw BadArgument("it was freed: its scope ended, or dispose() was called");
  return *slot;
}

inline Slot& slotOf(napi_env env, Engine& engine, napi_value v) { return slotOf(engine, handleOf(env, v)); }

inline const Tensor& tensorOf(Engine& engine, Handle handle) {
  const IValue& value = slotOf(engine, handle).value;
  if (!value.isTensor()) throw BadArgument("expected a tensor, got a generator");
  return value.toTensor();
}

inline const Tensor& tensorOf(napi_env env, Engine& engine, napi_value v) { return tensorOf(engine, handleOf(env, v)); }

inline at::Generator generatorOf(napi_env env, Engine& engine, napi_value v) {
  const IValue& value = slotOf(env, engine, v).value;
  if (!value.isGenerator()) throw BadArgument("expected a generator, got a tensor");
  return value.toGenerator();
}

/// From here on the tensor lives until it is disposed of, by hand or by the garbage collector.
inline void pin(napi_env env, Slot& slot) {
  if (slot.isPinned) return;
  slot.isPinned = true;
  slot.reportedBytes = 1024;  // of libtorch's and our own bookkeeping: many small tensors call for a collection too
  if (slot.value.isTensor()) {
    const Tensor& t = slot.value.toTensor();
    if (t.has_storage() && !t.is_view()) slot.reportedBytes += int64_t(t.storage().nbytes());
  }
  reportBytes(env, slot.reportedBytes);
}

inline napi_value wrap(napi_env env, Engine& engine, IValue value) {
  const Handle handle = engine.add(std::move(value));
  if (engine.scopes.empty()) pin(env, *engine.find(handle));
  else engine.scopes.back().push_back(handle);
  return js(env, double(handle));
}

}  // namespace larmor
