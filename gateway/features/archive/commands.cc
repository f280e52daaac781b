// See commands.h. Everything goes page by page, on the control thread, and ends when the client
// leaves.
#include "gateway/features/archive/commands.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/control/accounts.h"
#include "gateway/control/answers.h"
#include "gateway/control/listing.h"
#include "gateway/features/archive/export.h"
#include "gateway/features/archive/keeping.h"
#include "gateway/session/account.h"
#include "gateway/session/accounts.h"
#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/packet.h"

namespace causeway {
namespace {

namespace json = boost::json;
using control::Command;
using control::CommandRequest;
using control::Field;
using control::Param;
using control::ParamType;
using control::Reply;
using control::utf8;

constexpr std::uint64_t most_shown = 1000;
constexpr std::uint32_t shown_by_default = 20;
constexpr std::size_t words_shown = 500;  ///< bytes
constexpr std::size_t purge_step = 100;
constexpr std::uint64_t most_days = 36'500;
constexpr std::int64_t day = 86'400'000;

// ---- archive show ----

struct Shown {
    ArchiveRow row;  ///< its body cut down to the words in it
};

json::object to_json(const Shown& shown) {
    const ArchiveRow& row = shown.row;
    return {{"id", std::to_string(row.id)},   {"at", time_of_id(row.id)}, {"with", utf8(row.with)},
            {"resource", utf8(row.resource)}, {"incoming", row.incoming}, {"text", utf8(row.body)}};
}

/// What a person wrote; empty for a message without words.
std::string words_of(std::string_view body) {
    std::string words;
    // A row that is damaged is shown without words.
    static_cast<void>(Packet::visit_bytes(body, [&words](Stanza& stanza) {
        const Element* text = stanza.element.child(ns::client, "body");
        if (text != nullptr) words = text->text(stanza.arena).substr(0, words_shown);
    }));
    return words;
}

/// Collects the newest messages, page by page backward, and lists them in their order.
class Show : public std::enable_shared_from_this<Show> {
public:
    /// `with`: a client, an account or a domain; empty: anybody.
    Show(const CommandRequest& request, std::string owner, const Jid& with)
        : operations_(request.host.operations),
          store_(request.host.shared->store),
          home_(*request.host.home),
          reply_(request.reply),
          left_(request.number("last").value_or(shown_by_default)) {
        query_.owner = std::move(owner);
        query_.with = with.bare();
        if (with.has_resource()) query_.resource = std::string(with.resource());
        query_.from_end = true;
    }

    void start() {
        if_archive_owner(operations_, store_, home_, query_.owner, reply_,
                         [self = shared_from_this()] { self->next(); });
    }

private:
    void next() {
        if (reply_.cancelled()) return;
        query_.rows = std::min<std::size_t>(left_, 100);
        store_.archive_page(query_, home_, [self = shared_from_this()](Result<ArchivePage> page) {
            self->take(std::move(page));
        });
    }

    void take(Result<ArchivePage> page) {
        if (!page) return reply_(page.error());
        for (auto row = page->rows.rbegin(); row != page->rows.rend(); ++row) {
            row->body = words_of(row->body);
            newest_first_.push_back({std::move(*row)});
        }
        left_ -= std::min<std::size_t>(left_, page->rows.size());
        query_.before = page->reached;
        if (left_ > 0 && !page->complete) return next();
        control::Page<Shown> all;
        all.rows.assign(newest_first_.rbegin(), newest_first_.rend());
        control::list_whole(reply_, std::move(all));
    }

    const control::Operations& operations_;
    Store& store_;
    Executor& home_;
    const Reply reply_;
    std::size_t left_;
    ArchiveQuery query_;
    std::vector<Shown> newest_first_;
};

/// The owner that `jid` names, in its usual form; answers why there is none.
std::optional<std::string> owner_of(const CommandRequest& request) {
    const auto account = control::account_of(request.text("jid"));
    if (account) return std::string(account->bare());
    request.reply(account.error());
    return {};
}

void show(const CommandRequest& request) {
    const auto owner = owner_of(request);
    if (!owner) return;
    Jid with;
    if (const std::string text = request.text("with"); !text.empty()) {
        auto address = control::address_of(text);
        if (!address) return request.reply(address.error());
        with = std::move(*address);
    }
    CAUSEWAY_LOG(info, "archive.shown", {"jid", *owner});
    std::make_shared<Show>(request, *owner, with)->start();
}

void export_archive(const CommandRequest& request) {
    const auto owner = owner_of(request);
    if (!owner) return;
    start_archive_export(*owner, request);
}

// ---- archive purge ----

/// Erases what is older than a moment, of one owner or of all of a domain, one step after the
/// other.
class Purge : public std::enable_shared_from_this<Purge> {
public:
    Purge(const CommandRequest& request, const Jid& target)
        : operations_(request.host.operations),
          store_(request.host.shared->store),
          home_(*request.host.home),
          reply_(request.reply),
          result_(request.naming("jid")),
          domain_(target.local().empty() ? "@" + std::string(target.domain()) : ""),
          first_(*request.host.shared->hubs.front()) {
        if (const auto days = request.number("older-than")) {
            const UnixMillis before = request.host.shared->clock.wall() - *days * day;
            before_ = id_distance(Duration{std::max<UnixMillis>(before, 1)});
        }
        if (domain_.empty()) owners_.push_back({.owner = std::string(target.bare())});
    }

    void start() {
        if (!domain_.empty()) return find_owners();
        if_archive_owner(operations_, store_, home_, owners_.back().owner, reply_,
                         [self = shared_from_this()] { self->count(); });
    }

private:
    void count() {
        store_.archive_total(owners_.back().owner, home_,
                             [self = shared_from_this()](const Result<ArchiveTotals>& total) {
                                 if (!total) return self->reply_(total.error());
                                 self->owners_.back() = *total;
                                 self->next_owner();
                             });
    }

    void find_owners() {
        if (reply_.cancelled()) return;
        store_.archive_totals(
            after_, 100, home_,
            [self = shared_from_this()](const Result<std::vector<ArchiveTotals>>& page) {
                if (!page) return self->reply_(page.error());
                if (page->empty()) return self->sweep();
                self->after_ = page->back().owner;
                for (const ArchiveTotals& one : *page) {
                    if (one.owner.ends_with(self->domain_)) self->owners_.push_back(one);
                }
                self->next_owner();
            });
    }

    void next_owner() {
        if (reply_.cancelled()) return;
        if (owners_.empty()) return domain_.empty() ? sweep() : find_owners();
        const ArchiveTotals owner = std::move(owners_.back());
        owners_.pop_back();
        if (owner.rows == 0) return next_owner();
        ++archives_;
        if (before_ != 0) return trim(owner.owner, owner.rows);
        erased_ += owner.rows;
        Batch batch;
        batch.archive_clear(owner.owner);
        // What waits stands there alone.
        batch.log_clear(AccountInbox::store_name, owner.owner);
        commit(std::move(batch), [this, name = owner.owner] {
            nothing_waits_for(name);
            next_owner();
        });
    }

    /// The account, if it is in use, has counted what waited.
    void nothing_waits_for(const std::string& owner) {
        first_.shard.post([&hub = first_, owner] {
            Hub& home = hub.home_of(owner);
            hub.at(home, [&home, owner] {
                home.ledger.forget_archive(owner);
                if (Account* account = home.accounts->find(owner)) account->inbox().recount();
            });
        });
    }

    void trim(const std::string& owner, std::uint64_t before_this) {
        if (reply_.cancelled()) return;
        Batch batch;
        batch.archive_trim(owner, before_, purge_step);
        commit(std::move(batch), [this, owner, before_this] {
            store_.archive_total(
                owner, home_,
                [self = shared_from_this(), owner,
                 before_this](const Result<ArchiveTotals>& total) {
                    if (!total) return self->reply_(total.error());
                    // New messages may have come meanwhile.
                    const bool more = total->rows > 0 && total->oldest < self->before_;
                    self->erased_ += before_this - std::min(before_this, total->rows);
                    if (more) return self->trim(owner, total->rows);
                    self->next_owner();
                });
        });
    }

    /// Gives the room of cleared archives back.
    void sweep() {
        if (before_ != 0) return finish();
        store_.archive_unswept(
            home_, [self = shared_from_this()](const Result<std::uint64_t>& rows) {
                if (!rows) return self->reply_(rows.error());
                if (*rows == 0 || self->reply_.cancelled()) return self->finish();
                Batch batch;
                batch.archive_sweep(purge_step);
                self->commit(std::move(batch), [raw = self.get()] { raw->sweep(); });
            });
    }

    void finish() {
        if (domain_.empty() || archives_ != 0) return succeed();
        // Of a domain that was mistyped it does not say that there is nothing. What was kept for
        // one that is served no more can be erased.
        first_.shard.post([self = shared_from_this(), &hub = first_] {
            const std::string name = self->domain_.substr(1);
            self->home_.post([self, name, served = hub.serves(name),
                              all = control::served_domains(*hub.config)] {
                if (served) return self->succeed();
                self->reply_(Outcome::absent(
                    fmt::format("no domain {} is served here, only {}; and nothing of one is "
                                "archived",
                                name, all)));
            });
        });
    }

    void succeed() {
        json::object result = result_;
        result.emplace("archives", archives_);
        result.emplace("erased", erased_);
        reply_(json::value(std::move(result)));
    }

    void commit(Batch batch, std::function<void()> then) {
        store_.commit(std::move(batch), home_,
                      [self = shared_from_this(), then = std::move(then)](const Outcome& outcome) {
                          if (outcome) return then();
                          self->reply_(outcome);
                      });
    }

    const control::Operations& operations_;
    Store& store_;
    Executor& home_;
    const Reply reply_;
    const json::object result_;
    const std::string domain_;  ///< with its "@"; empty: one owner
    Hub& first_;
    std::uint64_t before_ = 0;  ///< id; 0: everything
    std::string after_;
    std::vector<ArchiveTotals> owners_;
    std::uint64_t archives_ = 0, erased_ = 0;
};

void purge(const CommandRequest& request) {
    const auto target = control::address_of(request.text("jid"));
    if (!target || !target->resource().empty()) {
        request.reply(target ? Outcome::malformed(request.text("jid") +
                                                  " names one client: give an account or a domain")
                             : target.error());
        return;
    }
    std::make_shared<Purge>(request, *target)->start();
}

// ---- the table ----

constexpr Param with_param{.name = "with",
                           .required = false,
                           .doc = "only messages with this address",
                           .at_most = control::jid_bytes,
                           .option = true};
constexpr std::array show_params{control::jid_param("whose archive"), with_param,
                                 Param{.name = "last",
                                       .type = ParamType::integer,
                                       .required = false,
                                       .doc = "how many of the newest (20)",
                                       .at_most = most_shown,
                                       .option = true}};
constexpr std::array export_params{
    control::jid_param("whose archive"),
    Param{"file", ParamType::path, true, "a new file, on the server's machine", 4095}};
constexpr std::array purge_params{
    control::jid_param("an account, or a domain for all of its accounts"),
    Param{.name = "older-than",
          .type = ParamType::integer,
          .required = false,
          .doc = "days; left out: everything",
          .at_most = most_days,
          .option = true}};
constexpr std::array keep_params{control::jid_param("whose archive"),
                                 Param{.name = "days",
                                       .type = ParamType::integer,
                                       .required = false,
                                       .doc = "how long; 0: for ever",
                                       .at_most = most_days,
                                       .option = true},
                                 Param{.name = "bytes",
                                       .type = ParamType::integer,
                                       .required = false,
                                       .doc = "how much; 0: any number",
                                       .at_most = ArchiveKeeping::most_bytes,
                                       .option = true},
                                 Param{.name = "default",
                                       .type = ParamType::flag,
                                       .required = false,
                                       .doc = "again as the domain's options say",
                                       .option = true}};
constexpr std::array row_fields{Field{"TIME", "{at:date}"}, Field{"", "{incoming?from|to}"},
                                Field{"WITH", "{with}[/{resource}]"}, Field{"TEXT", "{text}"},
                                Field{"ID", "{id}"}};

}  // namespace

extern constinit const std::array<Command, 4> archive_commands{
    Command{.name = "archive.show",
            .params = show_params,
            .doc = "the newest archived messages of an account",
            .streams = true,
            .run = show,
            .view = {.fields = row_fields, .empty = "no such messages are archived"}},
    Command{.name = "archive.export",
            .params = export_params,
            .doc = "writes an account's archive into a new file (XEP-0227)",
            .mutates = true,
            .run = export_archive,
            .view = {.sentence = "{file} holds {messages:count} messages of {jid}[; left out as "
                                 "damaged: {damaged:count}, which store check names]"}},
    Command{.name = "archive.purge",
            .params = purge_params,
            .doc = "erases archived messages, offline ones among them",
            .mutates = true,
            .run = purge,
            .view = {.sentence = "erased of {jid}: {erased:count} messages in {archives:count} "
                                 "archives"}},
    Command{.name = "archive.keep",
            .params = keep_params,
            .doc = "how long an account's archive is kept, instead of what its domain says",
            .mutates = true,
            .run = keep_archive,
            .view = {.sentence = "messages of {jid} are kept {age}, {size}: what is more goes "
                                 "within an hour"}},
};

}  // namespace causeway
