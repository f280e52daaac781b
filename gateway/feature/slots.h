// Slots: state that features keep with an owner (an account or a client session). A feature
// declares a constant Slot of its state's type; the owner holds a Slots. It costs a pointer as long
// as no feature has made anything there; what was made dies with the owner.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace causeway {

/// Base of what a feature keeps in a slot.
class SlotState {
public:
    SlotState() = default;
    SlotState(const SlotState&) = delete;
    SlotState& operator=(const SlotState&) = delete;
    virtual ~SlotState() = default;
};

/// Names the state of type `State` that one feature keeps with one kind of owner. Its address is
/// its identity: declare it as a constant at namespace scope.
template <class State>
struct Slot {
    const char* name;
};

class Slots {
public:
    /// nullptr: the feature has made nothing here.
    template <class State>
    [[nodiscard]] State* get(const Slot<State>& slot) const {
        if (used_ == nullptr) return nullptr;
        for (const Entry& entry : *used_) {
            if (entry.slot == &slot) return static_cast<State*>(entry.state.get());
        }
        return nullptr;
    }

    /// What is there, or a new one made of `arguments`.
    template <class State, class... Arguments>
    State& make(const Slot<State>& slot, Arguments&&... arguments) {
        if (State* known = get(slot)) return *known;
        if (used_ == nullptr) used_ = std::make_unique<std::vector<Entry>>();
        auto state = std::make_unique<State>(std::forward<Arguments>(arguments)...);
        State& made = *state;
        used_->push_back({&slot, std::move(state)});
        return made;
    }

    /// Ends it; the slot is as if it had never been used.
    template <class State>
    void drop(const Slot<State>& slot) {
        if (used_ == nullptr) return;
        std::erase_if(*used_, [&](const Entry& entry) { return entry.slot == &slot; });
        if (used_->empty()) used_.reset();
    }

private:
    struct Entry {
        const void* slot;
        std::unique_ptr<SlotState> state;
    };
    std::unique_ptr<std::vector<Entry>> used_;
};

}  // namespace causeway
