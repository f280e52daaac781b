// Committed: what is called once a batch is durable, or has failed.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "gateway/base/outcome.h"

namespace causeway {

class Batch;

/// Made of what takes the outcome, or the outcome and the batch. The batch comes back from the
/// store as it was given, so that whoever has nothing else of what failed can commit it again.
class Committed {
public:
    Committed() = default;

    template <class Call>
    requires std::invocable<Call&, Outcome, Batch&> Committed(Call call) : call_(std::move(call)) {}

    template <class Call>
    requires(std::invocable<Call&, Outcome> && !std::same_as<Call, Committed>)
        Committed(Call call) {
        if constexpr (requires { typename Call::result_type; }) {
            if (!call) return;  // an empty std::function
        }
        call_ = [call = std::move(call)](Outcome outcome, Batch&) mutable {
            call(std::move(outcome));
        };
    }

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(call_); }
    void operator()(Outcome outcome, Batch& batch) const { call_(std::move(outcome), batch); }

private:
    std::function<void(Outcome, Batch&)> call_;
};

}  // namespace causeway
