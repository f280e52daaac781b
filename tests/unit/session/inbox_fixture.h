// AccountFixture with one account, romeo@a.test, to whom messages come from another domain.
#pragma once

#include <fmt/format.h>

#include <string>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {

/// A message to him, with that id.
inline std::string chat(std::string_view id) {
    return fmt::format(
        "<message to='romeo@a.test' from='nurse@b.test/x' id='{}' type='chat'><body>x</body>"
        "</message>",
        id);
}

struct InboxFixture : AccountFixture {
    InboxFixture() { add_account("romeo@a.test"); }
    Account& romeo() { return account("romeo@a.test"); }
};

}  // namespace causeway::test
