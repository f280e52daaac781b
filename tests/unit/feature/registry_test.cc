// The features turned into tables: who handles an iq, in which order hooks run, what discovery
// tells.
#include "gateway/feature/registry.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

void first(const IqRequest&) {}
void second(const IqRequest&) {}

constexpr std::array handlers{
    IqHandler{StanzaType::get, "urn:a", "query", IqTarget::server, first},
    IqHandler{StanzaType::set, "urn:a", "query", IqTarget::server, second},
    IqHandler{StanzaType::get, "urn:a", "query", IqTarget::account, second},
    IqHandler{StanzaType::get, "urn:a", "other", IqTarget::server, second},
    IqHandler{StanzaType::get, "urn:b", "query", IqTarget::server, second},
};
constexpr Feature game{.name = "game", .iq = handlers};
constexpr std::array same{IqHandler{StanzaType::set, "urn:a", "query", IqTarget::server, first}};
constexpr Feature rival{.name = "rival", .iq = same};

TEST_CASE("an iq finds its handler by type, target, namespace and name") {
    const std::array features{&game};
    const auto built = FeatureRegistry::build(features);
    REQUIRE(built.ok());
    const IqHandler* const found =
        built->find_iq(StanzaType::get, IqTarget::server, "urn:a", "query");
    REQUIRE(found != nullptr);
    CHECK((found->handle == first));
    for (const IqHandler& other : std::span(handlers).subspan(1)) {
        const IqHandler* const its = built->find_iq(other.type, other.target, other.ns, other.name);
        REQUIRE(its != nullptr);
        CHECK((its->handle == second));
    }
    CHECK(built->find_iq(StanzaType::get, IqTarget::own, "urn:a", "query") == nullptr);
    CHECK(built->find_iq(StanzaType::set, IqTarget::server, "urn:b", "query") == nullptr);
    CHECK(built->find_iq(StanzaType::get, IqTarget::server, "urn:c", "query") == nullptr);
    CHECK(built->find_iq(StanzaType::get, IqTarget::server, "urn:a", "thing") == nullptr);
}

TEST_CASE("two handlers of one request are an error of the program") {
    const std::array features{&game, &rival};
    const auto built = FeatureRegistry::build(features);
    REQUIRE_FALSE(built.ok());
    CHECK(built.error().why().starts_with("feature rival: "));
    CHECK(built.error().why().ends_with("urn:a query is handled twice"));
}

constexpr std::array answers{
    IqHandler{StanzaType::result, "urn:a", "query", IqTarget::server, first}};
constexpr Feature waiter{.name = "waiter", .iq = answers};

TEST_CASE("so is a handler of answers: those belong to whoever asked") {
    const std::array features{&waiter};
    const auto built = FeatureRegistry::build(features);
    REQUIRE_FALSE(built.ok());
    CHECK(built.error().why() ==
          "feature waiter: its handler of urn:a is neither for get nor for set");
}

// ---- points ----

/// Which hooks ran; each leaves its mark.
std::string trace;

template <char mark, class Context, class Answer, Answer answer>
Answer hook(Context&) {
    trace += mark;
    return answer;
}
template <char mark>
void heard(const Life&) {
    trace += mark;
}

constexpr std::array late{
    FromClientHook{Phase::copy, hook<'c', FromClient, Verdict, Verdict::next>},
    FromClientHook{Phase::check, hook<'a', FromClient, Verdict, Verdict::next>}};
constexpr std::array early{
    FromClientHook{Phase::rewrite, hook<'b', FromClient, Verdict, Verdict::next>},
    FromClientHook{Phase::check, hook<'A', FromClient, Verdict, Verdict::next>}};
constexpr std::array server_late{
    FromServerHook{Phase::copy, hook<'s', FromServer, Verdict, Verdict::next>}};
constexpr std::array server_early{
    FromServerHook{Phase::check, hook<'r', FromServer, Verdict, Verdict::next>}};
constexpr std::array life_of_one{LifeHook{LifeEvent::started, heard<'1'>},
                                 LifeHook{LifeEvent::tick, heard<'t'>}};
constexpr std::array life_of_other{LifeHook{LifeEvent::started, heard<'2'>}};
constexpr std::array of_domain{std::string_view("urn:z"), std::string_view("urn:a")};
constexpr std::array of_domain_too{std::string_view("urn:a"), std::string_view("urn:m")};
constexpr std::array of_account{std::string_view("urn:account")};

void tell(const DiscoQuery& query, DiscoInfo& info) {
    if (query.node == "room") {
        info.found = true;
        info.features = {"urn:y", "urn:x", "urn:y"};
    } else {
        info.identities.push_back({"server", "test", {}});
    }
}
void list(const DiscoQuery& query, DiscoItems& items) {
    items.items.push_back({std::string(query.to.full()), "n", "N"});
}
constexpr std::array sources{
    DiscoSource{.of = DiscoSource::Of::server, .info = tell},
    DiscoSource{.of = DiscoSource::Of::server, .items = list},
};

constexpr Feature one{
    .name = "one",
    .server_disco = of_domain,
    .account_disco = of_account,
    .disco = sources,
    .points = {.from_client = late, .from_server = server_late, .life = life_of_one}};
constexpr Feature other{
    .name = "other",
    .server_disco = of_domain_too,
    .points = {.from_client = early, .from_server = server_early, .life = life_of_other}};

struct Fixture : AccountFixture {
    Fixture() : AccountFixture({&one, &other}) {}
};

TEST_CASE_FIXTURE(Fixture,
                  "hooks run in the order of their phases, and within one of the registry") {
    trace.clear();
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    settle();
    sends(romeo, "<message to='nurse@b.test' type='chat'><body>x</body></message>");
    CHECK(trace == "aAbc");
    trace.clear();
    (void)Packet::visit_bytes("<message to='romeo@a.test' from='nurse@b.test'/>",
                              [&](Stanza& stanza) { hub->routing->from_server(stanza, {}); });
    CHECK(trace == "rs");
    trace.clear();
    features.announce({.event = LifeEvent::started, .hub = *hub});
    CHECK(trace == "12");
    features.announce({.event = LifeEvent::tick, .hub = *hub});
    CHECK(trace == "12t");
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery tells each feature once, sorted, of a domain or of an account") {
    const Jid domain = *Jid::parse("a.test"), asking = *Jid::parse("nurse@b.test");
    const DiscoQuery query{*hub, nullptr, domain, asking, ""};
    const DiscoInfo info = features.info(DiscoSource::Of::server, query);
    CHECK(info.found);
    CHECK(info.features == std::vector<std::string>{"urn:a", "urn:m", "urn:z"});
    CHECK(info.identities.size() == 1);
    const DiscoInfo account = features.info(DiscoSource::Of::account, query);
    CHECK(account.found);
    CHECK(account.features == std::vector<std::string>{"urn:account"});
    CHECK(account.identities.empty());
    CHECK(features.items(DiscoSource::Of::server, query).items.size() == 1);
    CHECK(features.items(DiscoSource::Of::account, query).items.empty());
    CHECK(features.items(DiscoSource::Of::account, query).found);
}

TEST_CASE_FIXTURE(Fixture, "a node is there if a feature says so, and has no other's features") {
    const Jid domain = *Jid::parse("a.test"), asking = *Jid::parse("nurse@b.test");
    const DiscoQuery room{*hub, nullptr, domain, asking, "room"};
    const DiscoInfo info = features.info(DiscoSource::Of::server, room);
    CHECK(info.found);
    CHECK(info.features == std::vector<std::string>{"urn:x", "urn:y"});
    const DiscoQuery nothing{*hub, nullptr, domain, asking, "nothing"};
    CHECK_FALSE(features.info(DiscoSource::Of::server, nothing).found);
    CHECK(features.info(DiscoSource::Of::server, nothing).features.empty());
    CHECK_FALSE(features.items(DiscoSource::Of::server, nothing).found);
}

}  // namespace
}  // namespace causeway::test
