// What the administrator of a scene's server types, as for causewayctl, and what is answered.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/server/operations.h"
#include "gateway/server/server.h"

namespace causeway::scene {

/// Runs one verb with its arguments, such as "access add romeo@a.test anyone write deny --at 1";
/// words with spaces stand in double quotes. `answer` gets a line for each row and one for the
/// result, as "member=value; member=value", or "error: why" alone. On any thread; `answer` is
/// called on the server's first shard.
void administer(Server& server, control::Operations& operations, const std::string& line,
                std::function<void(std::vector<std::string>)> answer);

}  // namespace causeway::scene
