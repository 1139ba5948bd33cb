"""Secrets in variables and arguments, and in commands wherever they are written down."""

from __future__ import annotations

import re

from rtrace.privacy.rules.likeness import is_example, is_likely, is_random
from rtrace.privacy.rules.names import END
from rtrace.privacy.rules.rule import ARGUMENT, FILE, GIVEN, NO_VALUE, NOTHING, TYPED, VARIABLE, Rule

_NO_PATH = rb"(?!~?/[\w.-]{1,64}/)"
_SECRET_NAME = (
    rb"(?:password|passwd|passphrase|passcode|pwd|pass|secret|token|pat|credentials?|api[-_]?key|(?:private|access|auth|secret|encryption|signing|master"
    rb"|account|license|service|storage|shared|deploy)[-_]?key|cookies?)"
)
_SECRET_NEEDLES = (b"pass", b"secret", b"token", b"key", b"cookie", b"pwd", b"pat", b"credential")
_OPTIONS = (
    *(b"password", b"passwd", b"passphrase", b"pass", b"secret", b"token", b"cookie", b"cookies", b"pwd"),
    *(
        kind + mark + b"key"
        for kind in (b"api", b"private", b"access", b"auth", b"secret")
        for mark in (b"-", b"_", b"")
    ),
)
_RANDOM_NAMES = re.compile(
    rb"(?:key|token|secret|auth|authorization|creds?|credentials?|pat|sas|dsn|jwt|cookie|session|license|webhook|sig|signature|pw|pass|pwd|password|psk|salt"
    rb"|seed|mnemonic|bearer|apikey|login|header|headers)[0-9]{0,3}\Z",
    re.IGNORECASE,
)
_SPOKEN = (
    b"password",
    b"passwd",
    b"token",
    b"secret",
    b"apikey",
    b"api_key",
    b"accesskey",
    b"access_key",
    b"_key",
    b"requirepass",
    b"masterauth",
)
_SPEAKING = re.compile(
    rb"(?:(?<![\w-])(?i:setenv|set|export|env|arg)[ \t]{1,8}(?:-[a-z]{1,3}[ \t]{1,4}){0,3}[\w.-]{0,64}"
    rb"|(?:\A|\n)[ \t]{0,16}(?:(?:machine|login|default)[ \t][^\n]{0,160})?)\Z"
)
_OPTION = re.compile(
    rb"(?:\A|[\s\"'\[(])-(?:-(?:[A-Za-z0-9]{1,32}[-_]){0,4})?\Z|(?:\A|[\s\"'\[(])--(?:[A-Za-z0-9]{1,32}[-_]){1,4}\Z"
)
_PUBLIC_NAMES = re.compile(rb"(?:GPG|PUBLIC|PUBLISHABLE|SSH_HOST)_?(?:KEY|TOKEN)\Z|XAUTHORITY|.*_ID\Z", re.IGNORECASE)


def _is_given(_: re.Match[bytes], value: bytes) -> bool:
    return not is_example(value)


def _looks_secret(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a variable with a telling name has a value that looks random."""
    name = match["name"]
    return is_random(value) and _RANDOM_NAMES.search(name) is not None and not _PUBLIC_NAMES.match(name)


def _is_spoken(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a word behind a name is a secret, as in `setenv X_TOKEN x` and `machine x login y password z`."""
    likely = is_random(value) or is_likely(value, settings=False)
    text = match.string
    return likely and _SPEAKING.search(text[max(match.start() - 200, 0) : match.start()]) is not None


def _is_option(match: re.Match[bytes], value: bytes) -> bool:
    """Whether what follows an option in a text is its value, and no word for it."""
    before = match.string[max(match.start() - 140, 0) : match.start() + 1]
    return _OPTION.search(before) is not None and is_likely(value.rstrip(b".,;:)]"), settings=False)


VARIABLES = (
    Rule(
        "ci-variable",
        "a variable by which a CI system grants access",
        VARIABLE,
        re.compile(
            rb"\A(?:CI_(?:JOB_TOKEN|JOB_JWT\w*|REGISTRY_PASSWORD|DEPLOY_PASSWORD)|GITHUB_TOKEN|GH_TOKEN|SYSTEM_ACCESSTOKEN"
            rb"|ACTIONS_(?:RUNTIME_TOKEN|ID_TOKEN_REQUEST_TOKEN)|CIRCLE_(?:TOKEN|OIDC_TOKEN\w*)|BUILDKITE_AGENT_ACCESS_TOKEN"
            rb"|BITBUCKET_STEP_OIDC_TOKEN|CODECOV_TOKEN|TRAVIS_API_TOKEN)=" + NO_VALUE + rb"[^\s]"
        ),
        (b"token", b"_jwt", b"password"),
    ),
    Rule(
        "cloud-variable",
        "a variable that opens a cloud",
        VARIABLE,
        re.compile(
            rb"\A(?:AWS_(?:SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN)|(?:AZURE|ARM)_(?:CLIENT_SECRET|STORAGE_KEY|ACCESS_KEY|PASSWORD)"
            rb"|GOOGLE_(?:API_KEY|CREDENTIALS)|CLOUDSDK_AUTH_ACCESS_TOKEN|OS_(?:PASSWORD|APPLICATION_CREDENTIAL_SECRET)"
            rb"|(?:DIGITALOCEAN|LINODE|HCLOUD|CLOUDFLARE(?:_API)?|SCW|VAULT|KUBE)_(?:ACCESS_)?(?:TOKEN|SECRET_KEY))="
            + NO_VALUE
            + rb"[^\s/]"
        ),
        (b"key", b"token", b"secret", b"password", b"credentials"),
    ),
    Rule(
        "database-variable",
        "a variable with the password of a database",
        VARIABLE,
        re.compile(rb"\A(?:PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH|SQLCMDPASSWORD)=" + NO_VALUE + rb"[^\s]"),
        (b"password", b"mysql_pwd", b"rediscli_auth"),
    ),
    Rule(
        "secret-variable",
        "a variable that is named as a secret",
        GIVEN,
        re.compile(
            rb"(?:\A|(?<=[\0\s;]))(?!P?WD=|OLDPWD=)(?:[a-z0-9_.]{0,64}[_.])?"
            + _SECRET_NAME
            + END
            + rb"(?:_key)?=[\"']?"
            + NO_VALUE
            + _NO_PATH
            + rb"(?P<value>[^\s\0\"';])",
            re.IGNORECASE,
        ),
        _SECRET_NEEDLES,
        re.compile(rb"[^\s\0\"'`]{0,16384}"),
        check=_is_given,
        loose=True,
    ),
    Rule(
        "random-variable",
        "a variable that is named as a secret",
        VARIABLE,
        re.compile(rb"\A(?P<name>[^=\0]{1,256})=(?P<value>[^\s\0]{12,8192})"),
        (),
        NOTHING,
        check=_looks_secret,
        loose=True,
    ),
)

COMMANDS = (
    Rule(
        "secret-option",
        "an option that is named as a secret",
        ARGUMENT,
        re.compile(
            rb"(?:\A|(?<=[\0\s\"']))--?(?:[a-z0-9]{1,32}[-_]){0,4}"
            + _SECRET_NAME
            + rb"(?:=[\"']?|\0|[ \t]{1,4}[\"']?)"
            + NO_VALUE
            + _NO_PATH
            + rb"(?P<value>[^\s\0\"'-])",
            re.IGNORECASE,
        ),
        _SECRET_NEEDLES,
        re.compile(rb"[^\s\0\"'`]{0,16384}"),
        check=_is_given,
        loose=True,
    ),
    Rule(
        "secret-option",
        "an option that is named as a secret",
        FILE,
        re.compile(
            rb"[-_]"
            + _SECRET_NAME
            + rb"(?:=[\"']?|[ \t]{1,4}[\"']?|[\"'],[ \t]{0,4}[\"'])"
            + NO_VALUE
            + _NO_PATH
            + rb"(?P<value>[^\s\0\"'`\\-][^\s\0\"'`\\]{3,4096})",
            re.IGNORECASE,
        ),
        tuple(
            mark + option + end for mark in (b"-", b"_") for option in _OPTIONS for end in (b"=", b" ", b'",', b"',")
        ),
        NOTHING,
        4200,
        starts=True,
        check=_is_option,
        loose=True,
    ),
    Rule(
        "command-password",
        "a command that is given a password",
        TYPED,
        re.compile(
            rb"(?<![\w-])(?:curl[\0 ](?:[^\n]{0,500}?[\0 ])?(?:-u[\0 ]?|--(?:proxy-)?user[=\0 ])"
            rb"[\"']?[^\s\0:\"'$<]{1,64}:"
            rb"|sshpass[\0 ]{1,4}-p[\0 ]?[\"']?"
            rb"|(?:mysql|mysqldump|mysqladmin|mariadb)[\0 ](?:[^\n]{0,500}?[\0 ])?-p"
            rb"|redis-cli[\0 ](?:[^\n]{0,500}?[\0 ])?-a[\0 ][\"']?"
            rb"|(?:sqlcmd|bcp)[\0 ](?:[^\n]{0,500}?[\0 ])?-P[\0 ]?[\"']?"
            rb"|smbclient[\0 ](?:[^\n]{0,500}?[\0 ])?-U[\0 ]?[\"']?[^\s\0%\"']{1,64}%"
            rb"|(?:wget|http)[\0 ](?:[^\n]{0,500}?[\0 ])?(?:-a|--auth)[\0 =][\"']?[^\s\0:\"'$<]{1,64}:"
            rb"|(?:unzip|zip|7z)[\0 ](?:[^\n]{0,500}?[\0 ])?-P[\0 ]?[\"']?"
            rb"|wandb[\0 ]login[\0 ](?:--?\w{1,20}[\0 ]){0,3}"
            rb"|docker[\0 ]login[\0 ](?:[^\n]{0,500}?[\0 ])?-p[\0 ][\"']?"
            rb"|openssl[\0 ](?:[^\n]{0,500}?[\0 ])?-?pass(?:in|out)?[\0 ]pass:)"
            + NO_VALUE
            + rb"(?P<value>[^\s\0\"'$<])"
        ),
        (
            b"curl -",
            b"curl\0",
            b"curl \\",
            b"sshpass",
            b"mysql ",
            b"mysql\0",
            b"mysqldump",
            b"mysqladmin",
            b"mariadb ",
            b"mariadb\0",
            b"redis-cli",
            b"sqlcmd",
            b"smbclient",
            b"wget",
            b"zip -",
            b"unzip ",
            b"docker login",
            b"docker\0login",
            b"wandb login",
            b"wandb\0login",
            b"pass:",
        ),
        re.compile(rb"[^\s\0\"'`]{0,16384}"),
        reach=640,
    ),
    Rule(
        "piped-password",
        "a password that is piped into a command",
        TYPED,
        re.compile(
            rb"(?:echo|printf|<<<)[ \t]{1,4}(?:-n[ \t]{1,4})?[\"']?"
            + NO_VALUE
            + rb"(?P<value>[^\s\0\"'|]{4,256})[\"']?[ \t]{0,4}\|[ \t]{0,4}"
            rb"(?:sudo[ \t]{1,4}(?:-\w{1,8}[ \t]{1,4}){0,3}-S|[^\n|]{1,80}--password-stdin"
            rb"|gpg[^\n|]{1,80}--passphrase-fd)"
        ),
        (b"sudo -s", b"--password-stdin", b"--passphrase-fd"),
        NOTHING,
        back=400,
        check=lambda _, value: not is_example(value),
        loose=True,
    ),
    Rule(
        "sql-password",
        "a password in SQL",
        TYPED,
        re.compile(
            rb"(?i:\b(?:identified\s{1,8}(?:with\s{1,8}[\w']{1,40}\s{1,8})?by|with\s{1,8}(?:encrypted\s{1,8})?password|set\s{1,8}password"
            rb"(?:\s{1,8}for\s{1,8}[^\s]{1,80})?\s{0,8}=(?:\s{0,8}password\()?|password)\s{0,8})'(?P<value>[^'\s]{4,128})'"
        ),
        (b"identified", b"password '", b"set password", b"password  '"),
        NOTHING,
        check=lambda _, value: is_likely(value, settings=False),
        loose=True,
    ),
    Rule(
        "spoken-password",
        "a password that a command or setting is followed by",
        TYPED,
        re.compile(
            rb"(?i:requirepass|masterauth|password|passwd|token|secret|api_?key|access_?key|_key)[ \t]{1,8}[\"']?"
            + NO_VALUE
            + rb"(?=[^\s0-9A-Z]{0,64}[0-9A-Z])(?P<value>[^\s\"'=:;,()]{4,512})(?=[\s\"';]|\Z)"
        ),
        tuple(word + space for word in _SPOKEN for space in (b" ", b"\t")),
        NOTHING,
        640,
        starts=True,
        check=_is_spoken,
        loose=True,
    ),
)
