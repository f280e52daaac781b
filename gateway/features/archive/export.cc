#include "gateway/features/archive/export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/control/accounts.h"
#include "gateway/control/rows.h"
#include "gateway/session/hub.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/packet.h"

namespace causeway {
namespace {

namespace json = boost::json;

constexpr std::size_t rows_in_page = 200;

/// A new file; gone at the end unless it was kept.
class NewFile {
public:
    explicit NewFile(std::string path)
        : path_(std::move(path)),
          descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {}
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        if (!kept_) ::unlink(path_.c_str());
    }

    [[nodiscard]] bool open() const { return descriptor_ >= 0; }
    [[nodiscard]] bool write(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t written = ::write(descriptor_, text.data(), text.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(written));
        }
        return true;
    }
    [[nodiscard]] bool keep() { return kept_ = ::fsync(descriptor_) == 0; }
    [[nodiscard]] Outcome failure() const {
        if (errno == EEXIST) {
            return Outcome::refused(fmt::format(
                "{} exists: an export replaces nothing; remove it or choose another name", path_));
        }
        return Outcome::refused(fmt::format(
            "cannot write {}: {}; the server writes it, so choose a folder in which the user that "
            "runs it may write, such as that of the store",
            path_, std::generic_category().message(errno)));
    }

private:
    const std::string path_;
    const int descriptor_;
    bool kept_ = false;
};

/// `<result/>` of XEP-0313 §4.2, without the query that it would answer.
std::string result_of(const ArchiveRow& row) {
    XmlBuilder xml;
    xml.open("result", "urn:xmpp:mam:2").attribute("id", std::to_string(row.id));
    xml.open("forwarded", ns::forward);
    xml.open("delay", ns::delay).attribute("stamp", format_date_time(time_of_id(row.id))).close();
    // Canonical bytes have the client's namespace in scope.
    constexpr std::string_view start = "<message";
    const std::string_view body = row.body;
    if (body.starts_with(start)) {
        xml.raw(fmt::format("{} xmlns='{}'{}", start, ns::client, body.substr(start.size())));
    }
    return xml.take() + "\n";
}

class Export : public std::enable_shared_from_this<Export> {
public:
    Export(const std::string& owner, const control::CommandRequest& request)
        : operations_(request.host.operations),
          store_(request.host.shared->store),
          home_(*request.host.home),
          reply_(request.reply),
          result_({{"jid", control::utf8(owner)}, {"file", control::utf8(request.text("file"))}}),
          file_(request.text("file")) {
        query_.owner = owner;
        query_.rows = rows_in_page;
    }

    void start() {
        if (!file_.open()) return reply_(file_.failure());
        if_archive_owner(operations_, store_, home_, query_.owner, reply_,
                         [self = shared_from_this()] { self->begin(); });
    }

private:
    void begin() {
        const auto owner = Jid::parse(query_.owner);
        if (!owner) return reply_(owner.error());
        XmlBuilder head;
        head.open("host").attribute("jid", owner->domain());
        const std::string host = head.take();
        XmlBuilder user;
        user.open("user").attribute("name", owner->local());
        const std::string name = user.take();
        // Both are open until the end.
        const auto opened = [](std::string_view element) {
            return std::string(element.substr(0, element.rfind("/>"))) + ">";
        };
        const std::string begin =
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            "<server-data xmlns='urn:xmpp:pie:0'>" +
            opened(host) + opened(name) + "<archive xmlns='urn:xmpp:pie:0#mam'>\n";
        if (!file_.write(begin)) return reply_(file_.failure());
        next();
    }

    void next() {
        if (reply_.cancelled()) return;
        store_.archive_page(
            query_, home_,
            [self = shared_from_this()](const Result<ArchivePage>& page) { self->take(page); });
    }

    /// A damaged row costs itself, and not the document.
    void append(std::string& text, const ArchiveRow& row) {
        if (Packet::from_bytes(row.body)) {
            text += result_of(row);
            ++messages_;
            return;
        }
        ++damaged_;
        CAUSEWAY_LOG(error, "archive.unreadable_row", {"jid", query_.owner}, {"row", row.id});
    }

    void take(const Result<ArchivePage>& page) {
        if (!page) return reply_(page.error());
        std::string text;
        for (const ArchiveRow& row : page->rows) append(text, row);
        if (page->complete) text += "</archive></user></host></server-data>\n";
        if (!file_.write(text) || (page->complete && !file_.keep())) return reply_(file_.failure());
        query_.after = page->reached;
        if (!page->complete) return next();
        result_.emplace("messages", messages_);
        if (damaged_ > 0) result_.emplace("damaged", damaged_);
        reply_(json::value(result_));
    }

    const control::Operations& operations_;
    Store& store_;
    Executor& home_;
    const control::Reply reply_;
    json::object result_;
    NewFile file_;
    ArchiveQuery query_;
    std::uint64_t messages_ = 0;
    std::uint64_t damaged_ = 0;  ///< left out
};

}  // namespace

void if_archive_owner(const control::Operations& operations, Store& store, Executor& home,
                      const std::string& owner, const control::Reply& reply,
                      std::function<void()> then) {
    store.archive_total(owner, home,
                        [&operations, &store, &home, owner, reply,
                         then = std::move(then)](const Result<ArchiveTotals>& total) {
                            if (!total) return reply(total.error());
                            if (total->rows > 0) return then();
                            const auto account = control::account_of(owner);
                            if (!account) return reply(account.error());
                            control::if_account(
                                operations, store, home, *account,
                                [reply](const Outcome& absent) { reply(absent); }, then);
                        });
}

void start_archive_export(const std::string& owner, const control::CommandRequest& request) {
    std::make_shared<Export>(owner, request)->start();
}

}  // namespace causeway
