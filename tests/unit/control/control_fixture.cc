#include "tests/unit/control/control_fixture.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <future>

#include "gateway/control/commands.h"

namespace causeway::control {

namespace json = boost::json;

namespace {

constexpr int patience_milliseconds = 10'000;

// ---- verbs that no other code knows, as a feature would declare them ----

void live_view(const CommandRequest& request) {
    auto& fake = static_cast<FakeOperations&>(request.host.operations);
    fake.live_cancelled = false;
    fake.live = std::make_unique<Reply>(request.reply);
    fake.live->on_cancel([&fake] { fake.live_cancelled = true; });
}

void list_plants(const CommandRequest& request) {
    const std::string colour = request.text("colour");
    json::array rows;
    for (const char* name : {"rose", "lily"}) {
        rows.push_back({{"name", name},
                        {"bed", request.text("bed")},
                        {"colour", colour.empty() ? json::value(nullptr) : json::value(colour)},
                        {"height", 10 * request.number("scale").value_or(100)},
                        {"watered", name == std::string_view("rose")}});
    }
    json::object params;
    params.emplace("rows", std::move(rows));
    request.reply.notify("rows", std::move(params));
    request.reply(json::value(json::object{{"count", 2}}));
}

void show_garden(const CommandRequest& request) {
    request.reply(json::parse(R"({"name":"Capulet","beds":[{"n":1,"of":["rose","lily"]},{"n":2}],)"
                              R"("paths":[],"gate":{"open":false}})"));
}

/// Two rows, one after the other, as of something that happens.
void watch_garden(const CommandRequest& request) {
    for (const char* name : {"rose", "lily"}) {
        json::object row{{"at", 12'345'678}, {"name", name}, {"visitor", nullptr}};
        if (name == std::string_view("lily")) row["visitor"] = "\x1b[2J";
        json::object params;
        params.emplace("rows", json::array{std::move(row)});
        request.reply.notify("rows", std::move(params));
    }
    request.reply(json::value(json::object{{"count", 2}}));
}

void plant(const CommandRequest& request) { request.reply(json::value(request.naming("name"))); }

void weed(const CommandRequest& request) {
    json::object params;
    params.emplace("done", 1);
    params.emplace("total", 2);
    request.reply.notify("progress", std::move(params));
    json::object result = request.naming("plan");
    result.emplace("weeds", request.text("plan").ends_with("/clean")
                                ? json::array()
                                : json::array{"nettle", "thistle"});
    request.reply(json::value(std::move(result)));
}

constexpr std::array plant_params{
    Param{"bed", ParamType::string, true, "the bed", 9},
    Param{"colour", ParamType::string, false, "only of this colour", 9, true},
    Param{"scale", ParamType::integer, false, "how large", 1000, true}};
constexpr std::array plant_row{
    Field{"PLANT", "{name} in {bed}[, {colour}]"}, Field{"HEIGHT", "{height:count}"},
    Field{"CARE", "{watered?watered|dry};{sick?sick}"}, Field{"COLOUR", "{colour}"}};
constexpr std::array garden_sheet{
    Field{"garden", "{name}"},         Field{"bed {n:number}", "{of!empty};{of:list}", "beds"},
    Field{"  soil", "{soil}", "beds"}, Field{"  guest", "{guest}", "beds", "guest"},
    Field{"paths", "{}", "paths"},     Field{"gate", "{gate.open?open|closed}"}};
constexpr std::array plant_name{Param{"name", ParamType::string, true, "its name", 9},
                                Param{"secret", ParamType::password, true, "its secret", 9}};
constexpr std::array weed_plan{Param{"plan", ParamType::path, true, "a drawing of it", 99}};
constexpr std::array weed_sheet{Field{"plan", "{plan}"}, Field{"weed", "{}", "weeds"}};
constexpr std::array test_commands{
    Command{.name = "garden.watch",
            .doc = "tells what happens in the garden",
            .streams = true,
            .run = watch_garden,
            .view = {.sentence = "{at:clock}  {name}[, visited by {visitor}]", .live = true}},
    Command{.name = "garden.weed",
            .params = weed_plan,
            .doc = "looks for weeds",
            .run = weed,
            .view = {.fields = weed_sheet, .fault = "weeds"}},
    Command{.name = "live", .doc = "a view that goes on until cancelled", .run = live_view},
    Command{.name = "garden.plants",
            .params = plant_params,
            .doc = "the plants of a bed",
            .streams = true,
            .run = list_plants,
            .view = {.fields = plant_row, .empty = "nothing grows"}},
    Command{.name = "garden.show",
            .doc = "the garden",
            .run = show_garden,
            .view = {.fields = garden_sheet}},
    Command{.name = "garden.plant",
            .params = plant_name,
            .doc = "plants something",
            .mutates = true,
            .run = plant,
            .view = {.sentence = "planted {name}"}},
};

bool readable(int descriptor, int milliseconds) {
    pollfd wait{descriptor, POLLIN, 0};
    return ::poll(&wait, 1, milliseconds) == 1;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "causeway-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

LineClient::LineClient(const std::string& path)
    : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
}

LineClient::~LineClient() { ::close(descriptor_); }

bool LineClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

bool LineClient::request(int id, const std::string& method, const std::string& params) {
    return send(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + method +
                R"(","params":)" + params + "}\n");
}

json::value LineClient::receive() {
    while (true) {
        if (const std::size_t end = input_.find('\n'); end != std::string::npos) {
            const std::string line = input_.substr(0, end);
            input_.erase(0, end + 1);
            return json::parse(line);
        }
        REQUIRE_MESSAGE(readable(descriptor_, patience_milliseconds), "the server is silent");
        std::string some(65'536, '\0');
        const ssize_t got = ::recv(descriptor_, some.data(), some.size(), 0);
        if (got <= 0) {
            return nullptr;
        }
        input_.append(some, 0, static_cast<std::size_t>(got));
    }
}

json::value LineClient::call(int id, const std::string& method, const std::string& params) {
    REQUIRE(request(id, method, params));
    while (true) {
        json::value line = receive();
        if (!line.is_object() || line.as_object().contains("id")) {
            return line;
        }
    }
}

bool LineClient::hears_within(int milliseconds) {
    return !input_.empty() || readable(descriptor_, milliseconds);
}

void LineClient::finish_sending() { ::shutdown(descriptor_, SHUT_WR); }

ControlFixture::ControlFixture(ServerLimits limits) {
    REQUIRE(add_engine_commands(table).ok());
    REQUIRE(table.add(test_commands).ok());
    auto opened = Server::open(context, path, table, limits);
    INFO((opened.ok() ? std::string() : opened.error().why()));
    REQUIRE(opened.ok());
    server = std::move(*opened);
    server->start();
    thread_ = std::thread([this] { context.run(); });
}

ControlFixture::~ControlFixture() {
    stop();
    work_.reset();
    context.stop();
    thread_.join();
}

void ControlFixture::stop() {
    on_control([this] {
        server.reset();
        live.reset();
        operations.held.clear();
    });
}

void ControlFixture::on_control(const std::function<void()>& task) {
    std::promise<void> done;
    boost::asio::post(context, [&] {
        task();
        done.set_value();
    });
    done.get_future().wait();
}

void ControlFixture::hold() {
    on_control([this] { operations.holding = true; });
}

void ControlFixture::await_held(std::size_t number) {
    REQUIRE(eventually([&] { return operations.held.size() >= number; }));
}

int code_of(const json::value& reply) { return reply.at("error").at("code").to_number<int>(); }

std::string message_of(const json::value& reply) {
    return reply.at("error").at("message").as_string().c_str();
}

bool ControlFixture::eventually(const std::function<bool()>& condition) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_milliseconds);
    while (std::chrono::steady_clock::now() < until) {
        bool holds = false;
        on_control([&] { holds = condition(); });
        if (holds) {
            return true;
        }
        std::this_thread::yield();
    }
    return false;
}

}  // namespace causeway::control
