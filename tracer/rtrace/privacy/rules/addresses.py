"""Secrets in addresses, in connection strings, and in the headers and cookies of the web."""

from __future__ import annotations

import re

from rtrace.privacy.rules.likeness import is_example, is_likely, is_random, is_real
from rtrace.privacy.rules.names import any_of
from rtrace.privacy.rules.rule import ANYWHERE, FILE, LINE, NO_VALUE, NOTHING, Rule, is_random_value, is_real_value

_IN_QUERIES = (
    *(b"access_token", b"accesstoken", b"auth_token", b"authtoken", b"api_token", b"private_token", b"refresh_token"),
    *(b"id_token", b"oauth_token", b"session_token", b"token", b"api_key", b"apikey", b"api-key", b"access_key"),
    *(b"subscription-key", b"client_secret", b"secret", b"password", b"passwd", b"pwd", b"pass", b"auth", b"authkey"),
    *(b"auth_key", b"key", b"sig", b"signature", b"code", b"jwt", b"sas", b"ticket", b"appid", b"app_key", b"user_key"),
    *(
        b"x-amz-signature",
        b"x-amz-security-token",
        b"x-goog-signature",
        b"x-amz-credential",
        b"license_key",
        b"webhook",
    ),
    *(b"hmac", b"credential", b"session", b"sessionid", b"sid", b"_gitlab_session", b"rlkey", b"email_token"),
)
_IN_CONNECTIONS = (
    *(b"sharedaccesssignature", b"sharedaccesskey", b"sharedsecret", b"clientsecret", b"accountkey", b"accesskey"),
    *(b"secret key", b"secretkey", b"password", b"passwd", b"pwd"),
)
_SESSIONS = (
    *(b"sessionid=", b"session=", b"connect.sid=", b"PHPSESSID=", b"JSESSIONID=", b"ASP.NET_SessionId=", b"csrftoken="),
    *(b"laravel_session=", b"_session_id=", b"_xsrf=", b"remember_token=", b"wordpress_logged_in_", b"__Secure-"),
    *(b"__Host-", b"li_at=", b"SAPISID=", b"HSID=", b"SSID="),
)
_COOKIES = 4096
_MEANT = re.compile(rb"(?i:.*(?:token|secret|passw(?:or)?d|pwd|pass|api[-_]?key|access_key|auth|signature|sig))")


def _is_in_query(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a parameter of an address is a secret."""
    if b"badge" in match.string[max(match.start() - 40, 0) : match.start()]:  # a picture that everybody may see
        return False
    name = match["name"].lower()
    return is_random(value) or (_MEANT.fullmatch(name) is not None and is_likely(value, settings=b"pass" in name))


def _is_password(match: re.Match[bytes], value: bytes) -> bool:
    """Whether what stands between `:` and `@` is a password: not what its user is called, and no example of one."""
    if match["word"] is not None:
        return _is_user(match, value)
    return value != match["user"] and not is_example(value)


def _is_user(match: re.Match[bytes], value: bytes) -> bool:
    """Whether the user of an address of the web or of a repository looks random."""
    scheme = match.string[max(match.start() - 8, 0) : match.start()]
    return is_random(value) and re.search(rb"(?i:https?|git|svn|ftps?|wss?)\Z", scheme) is not None


def _is_cookie(_: re.Match[bytes], value: bytes) -> bool:
    """Whether one of several cookies has a value that looks random."""
    return any(is_random(part.partition(b"=")[2].strip(b" ")) for part in value[:_COOKIES].split(b";"))


def _is_in_path(_: re.Match[bytes], value: bytes) -> bool:
    return is_real(value) and len(value) >= 16  # noqa: PLR2004 -- shorter ones are names


_PARTS = re.compile(
    rb"(?i:\b(?:server|data source|host|hostaddr|dbname|database|initial catalog|driver|dsn|uid|user id|user|username"
    rb"|endpoint|accountname|sharedaccesskeyname|port|sslmode|account|abortconnect|ssl)[ \t]?=)"
)


def _is_connection(match: re.Match[bytes], value: bytes) -> bool:
    """Whether there are other parts of a connection string on the same line."""
    text, begin, end = match.string, match.start(), match.end()
    start, stop = text.rfind(b"\n", max(begin - 400, 0), begin) + 1, text.find(b"\n", end, end + 400)
    around = text[max(start, begin - 400) : begin] + b" " + text[end : stop if stop >= 0 else end + 400]
    closed = b";" in text[max(begin - 1, 0) : begin] + text[end : end + 1]
    return is_likely(value.rstrip(b",)]"), settings=closed) and _PARTS.search(around) is not None


ADDRESSES = (
    Rule(
        "slack-webhook",
        "the address of a Slack webhook",
        ANYWHERE,
        re.compile(rb"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/(?P<value>[\w/+-]{20,200})"),
        (b"hooks.slack",),
        NOTHING,
        check=is_real_value,
    ),
    Rule(
        "webhook",
        "the address of a webhook",
        ANYWHERE,
        re.compile(
            rb"(?:discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/|webhook\.office\.com/|outlook\.office\.com/webhook/"
            rb"|logic\.azure\.com(?::443)?/(?:workflows|powerautomate)/|powerplatform\.com(?::443)?/[\w./-]{0,80}workflows/"
            rb"|chat\.googleapis\.com/v1/spaces/|hooks\.zapier\.com/hooks/(?:catch/)?|maker\.ifttt\.com/(?:trigger|use)/"
            rb"|api\.telegram\.org/bot|hook(?:\.[a-z0-9]{2,4})?\.(?:integromat|make)\.com/|m\.pipedream\.net/"
            rb"|events\.pagerduty\.com/integration/|oapi\.dingtalk\.com/robot/send\?access_token="
            rb"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/|qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key="
            rb"|hc-ping\.com/|/api/webhook/|smee\.io/|hooks\.(?:glip\.com/webhook|stripe\.com|airtable\.com/workflows|hipchat\.com)/"
            rb"|/webhook-test/|/hooks/(?=[a-z0-9]{26}(?![\w-]))|healthchecks\.io/ping/|cronitor\.link/p/|ntfy\.sh/(?=[\w-]{16}))"
            rb"(?P<value>[\w./?=&%@:;+~-]{12,1024})"
        ),
        (
            *(b"discord.com/api/", b"discordapp.com/api/", b"webhook.office.com/", b"outlook.office.com/webhook"),
            *(
                b"logic.azure.com",
                b"powerplatform.com",
                b"chat.googleapis.com/",
                b"hooks.zapier.com/",
                b"maker.ifttt.com/",
            ),
            *(b"api.telegram.org/bot", b"hook.", b"m.pipedream.net/", b"events.pagerduty.com/", b"oapi.dingtalk.com/"),
            *(b"open.feishu.cn/", b"open.larksuite.com/", b"qyapi.weixin.qq.com/", b"hc-ping.com/", b"/api/webhook/"),
            *(b"smee.io/", b"hooks.glip.com/", b"hooks.stripe.com/", b"hooks.airtable.com/", b"hooks.hipchat.com/"),
            *(b"/webhook-test/", b"/hooks/", b"healthchecks.io/ping/", b"cronitor.link/p/", b"ntfy.sh/"),
        ),
        NOTHING,
        1200,
        starts=True,
        check=_is_in_path,
    ),
    Rule(
        "url-token",
        "an address with a token",
        ANYWHERE,
        re.compile(
            rb"(?:(?<=[?&#])|(?<=&amp;)|(?<=u0026))(?P<name>(?i:"
            + any_of(_IN_QUERIES)
            + rb"))="
            + NO_VALUE
            + rb"(?P<value>[\w%.~+/=:!*@,-]{4,4096})"
        ),
        tuple(word + b"=" for word in _IN_QUERIES),
        NOTHING,
        4200,
        starts=True,
        check=_is_in_query,
        loose=True,
    ),
    Rule(
        "azure-signature",
        "a signed Azure address",
        ANYWHERE,
        re.compile(rb"[?&;](?:amp;|u0026)?sig=" + NO_VALUE + rb"(?P<value>[A-Za-z0-9%+/]{40,}={0,2})"),
        (b"sig=",),
        NOTHING,
        check=is_real_value,
    ),
    Rule(
        "url-password",
        "a connection string or address with a password or token",
        ANYWHERE,
        re.compile(
            rb":(?://|\\/\\/)(?=[^\s/@]{0,400}@)(?:(?P<user>[^\s\0/:@\"'<>{}$`\\]{0,128}):"
            + NO_VALUE
            + rb"(?P<value>(?:(?!\$\{|\$\()[^\s\0/@\"'<>{}`\\]){3,256})@[\w\[%]"
            rb"|(?P<word>[\w.~%+-]{16,512})(?::x-oauth-basic)?@[\w\[])"
        ),
        (b"://", b":\\/\\/"),
        NOTHING,
        600,
        starts=True,
        check=_is_password,
    ),
    Rule(
        "url-path-token",
        "an address with a token in its path",
        ANYWHERE,
        re.compile(rb"(?:/t/|/token/|/key/|/apikey/|/v1/auth/)(?P<value>[\w-]{20,256})(?=/|\Z|[\s\"'])"),
        (b"/t/", b"/token/", b"/key/", b"/apikey/", b"/v1/auth/"),
        NOTHING,
        starts=True,
        check=is_random_value,
        loose=True,
    ),
    Rule(
        "connection-string",
        "a connection string with a password",
        ANYWHERE,
        re.compile(
            rb"(?:(?<=[;\"'=(\\\s])|\A)(?i:"
            + b"|".join(_IN_CONNECTIONS)
            + rb")[ \t]?=[ \t]?\{?"
            + NO_VALUE
            + rb"(?P<value>[^\s;\"'<>{}()\[\]\\]{3,1024})"
        ),
        tuple(word + equals for word in _IN_CONNECTIONS for equals in (b"=", b" =")),
        NOTHING,
        1200,
        starts=True,
        check=_is_connection,
        loose=True,
    ),
    Rule(
        "oracle-login",
        "a login to an Oracle database",
        ANYWHERE,
        re.compile(rb"jdbc:oracle:\w{2,8}:[\w$#]{1,64}/" + NO_VALUE + rb"(?P<value>[^\s@\"'/]{3,128})@"),
        (b"jdbc:oracle:",),
        NOTHING,
        check=is_real_value,
    ),
)


def _is_login(_: re.Match[bytes], value: bytes) -> bool:
    return is_random(value) or is_likely(value, settings=False)


WEB = (
    Rule(
        "jwt",
        "a JSON web token",
        ANYWHERE,
        re.compile(
            rb"(?<![A-Za-z0-9])(?:eyJ[\w-]{8,2048}(?:\.|%2E)eyJ[\w-]{8,8192}(?:(?:\.|%2E)[\w-]{0,2048})?"
            rb"|ZXlK[A-Za-z0-9+/]{40,8192}={0,2})"
        ),
        (b"eyj", b"zxlk"),
        NOTHING,
        16000,
        starts=True,
        check=is_real_value,
    ),
    Rule(
        "authorization",
        "an HTTP header that authorizes",
        ANYWHERE,
        re.compile(
            rb"(?:(?i:authorization)[\"'\]\\]{0,4}\s{0,8}[:=,]{1,2}\s{0,8}[fb]?[\"'\\]{0,3}"
            rb"(?i:bearer|basic|token|apikey|bot|digest|negotiate|aws4-hmac-sha256[^\n]{0,300}signature=)(?:\s{1,8}|(?<==))"
            rb"|(?i:bearer[ \t]{1,4}(?=[\w.~+/=-]{20})))" + NO_VALUE + rb"(?P<value>[\w.~+/=-]{12,8192})",
        ),
        (*(b"authorization" + mark for mark in (b":", b'"', b"'", b"=", b" :", b" =", b",", b"]", b"\\")), b"bearer "),
        NOTHING,
        8400,
        starts=True,
        check=_is_login,
    ),
    Rule(
        "api-header",
        "an HTTP header with a key",
        ANYWHERE,
        re.compile(
            rb"(?i:(?<![\w-])(?:x-[a-z-]{0,40}(?:key|token|secret|auth|signature)|(?:private|job|deploy|circle|api)-(?:token|key)"
            rb"|ocp-apim-subscription-key|dd-api-key|dd-application-key|zotero-api-key))[\"'\]\\]{0,4}\s{0,8}[:=,]\s{0,8}"
            rb"[\"'\\]{0,3}" + NO_VALUE + rb"(?P<value>[\w.~+/=-]{12,8192})"
        ),
        (
            *(
                b"x-" + word
                for word in (b"api", b"auth", b"acc", b"key", b"tok", b"sec", b"gitlab", b"vault", b"goog", b"csrf")
            ),
            *(b"private-token", b"job-token", b"deploy-token", b"circle-token", b"api-key", b"api-token"),
            *(b"ocp-apim-subscription-key", b"dd-api-key", b"dd-application-key", b"zotero-api-key"),
        ),
        NOTHING,
        8400,
        starts=True,
        check=is_random_value,
        loose=True,
    ),
    Rule(
        "cookie",
        "a cookie in an HTTP header",
        ANYWHERE,
        re.compile(
            rb"(?:(?i:cookies?)[\"'\]\\]{0,4}\s{0,8}[:=,]\s{0,8}[\"'\\]{0,3}|\s-b\s{0,4}[\"']?)"
            + NO_VALUE
            + rb"(?P<value>[\w.-]{1,64}=[^\s\0\"'\\][^\r\n\0\"'`\\]{11,1024})"
        ),
        (*(b"cookie" + mark for mark in (b":", b'"', b"'", b"=", b" =", b"s", b"]", b"\\")), b" -b '", b' -b "'),
        NOTHING,
        1200,
        starts=True,
        check=_is_cookie,
    ),
    Rule(
        "cookie-jar",
        "a cookie in a cookie jar",
        FILE,
        re.compile(
            rb"^(?:#HttpOnly_)?[.\w-]{1,255}\t(?:TRUE|FALSE)\t/[^\t\n]{0,255}\t(?:TRUE|FALSE)\t[0-9]{1,20}"
            rb"\t[^\t\n]{1,255}\t" + NO_VALUE + rb"(?P<value>[^\s])",
            re.MULTILINE,
        ),
        (b"\ttrue\t", b"\tfalse\t"),
        LINE,
        1024,
    ),
    Rule(
        "session-cookie",
        "the cookie of a session",
        ANYWHERE,
        re.compile(
            rb"(?<![\w-])(?i:" + b"|".join(map(re.escape, _SESSIONS)) + rb")[\w.-]{0,64}=?"
            rb"(?P<value>[\w.~+/%:|-]{16,4096})"
        ),
        tuple(name.lower() for name in _SESSIONS),
        NOTHING,
        4200,
        starts=True,
        check=is_random_value,
        loose=True,
    ),
)
