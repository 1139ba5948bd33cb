"""What secrets look like: one table.

Patterns run over hostile bytes, so each begins with something rare or is anchored, and every repetition that something
else follows has a bound. A NUL ends an argument: classes that stand for a value leave it out.

A pattern is tried near the needles of its rule only: words in small letters one of which is in all that it can match,
at most BACK bytes from where the match begins. So most text costs one search for all needles at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One kind of secret.

    ``where`` is searched for in the label of a place: ``variable``, ``argument``, or ``file`` and the path after a
    space. ``pattern`` is searched for in the text there: ``NAME=value``, arguments with a NUL between them, a file's
    content. Where it is None, a file is a secret by its name, whatever it holds. The secret itself begins where the
    group ``value`` does, or the match where there is none; it goes on after that as far as ``rest`` matches.
    ``needles`` are as above, and looked for in small letters; a rule without them is for files that are small, and
    tried on all of their beginning. ``reach`` is how many bytes after a needle a match may need. ``starts``: every
    match begins with a needle, so that the pattern is tried there alone.
    """

    id: str
    what: str
    where: re.Pattern[bytes]
    pattern: re.Pattern[bytes] | None
    needles: tuple[bytes, ...] = ()
    rest: re.Pattern[bytes] = re.compile(rb"[^\s\0\"'`]{0,16384}")
    reach: int = 256
    starts: bool = False


BACK = 160
"""How many bytes before a needle a match may begin."""
NOTHING = re.compile(b"")
LINE = re.compile(rb"[^\r\n\0]{0,16384}")

ANYWHERE = re.compile(rb"")
VARIABLE = re.compile(rb"\Avariable\Z")
ARGUMENT = re.compile(rb"\Aargument\Z")
FILE = re.compile(rb"\Afile ")
GIVEN = re.compile(rb"\A(?:variable|argument)\Z")
TYPED = re.compile(rb"\A(?:argument\Z|file )")
SETTINGS = re.compile(rb"(?:/\.env(?:\.[^/]*)?|\.(?:env|ini|cfg|cnf|conf|config|properties|json|toml|ya?ml|tfvars))\Z")


def _named(names: bytes) -> re.Pattern[bytes]:
    """Mean the files of which the path ends in a slash and one of these names."""
    return re.compile(rb"/(?:" + names + rb")\Z")


def _token(shape: bytes) -> re.Pattern[bytes]:
    """Mean a token that stands alone: no letter or digit before or after it."""
    return re.compile(rb"(?<![A-Za-z0-9])(?:" + shape + rb")(?![A-Za-z0-9])")


# What stands where a value will be filled in.
_NO_VALUE = (
    rb"(?i:(?![$<{%*]|\.\.\.|x{3}|(?:none|null|nil|true|false|yes|no|0|1|changeme|redacted|your[-_ ]?\w*)"
    rb"(?:[\s\0;,\"'@]|\Z)))"
)
_NO_PATH = rb"(?!~?/[\w.-]{1,64}/)"
_SECRET_NAME = (
    rb"(?:password|passwd|passphrase|pass|secret|token|api[-_]?key|apikey|(?:private|access|auth|secret)[-_]?key"
    rb"|cookies?)"
)

_SECRET_NEEDLES = (b"pass", b"secret", b"token", b"key", b"cookie")
_OPTIONS = (
    *(b"password", b"passwd", b"passphrase", b"pass", b"secret", b"token", b"cookie", b"cookies"),
    *(
        kind + mark + b"key"
        for kind in (b"api", b"private", b"access", b"auth", b"secret")
        for mark in (b"-", b"_", b"")
    ),
)

RULES = (
    # Keys
    Rule(
        "private-key",
        "a private key in PEM or OpenPGP armour",
        ANYWHERE,
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----.{0,300}?[A-Za-z0-9+/]{32}", re.DOTALL
        ),
        (b"private key",),
        re.compile(rb"[^\0]{0,16384}?-----END [A-Z ]{1,60}-----|[A-Za-z0-9+/=\s\\]{0,16384}"),
        400,
    ),
    Rule(
        "putty-key",
        "a private key of PuTTY",
        FILE,
        re.compile(rb"PuTTY-User-Key-File-[123]: "),
        (b"putty-user-key-file-",),
        re.compile(rb"[^\0]{0,16384}"),
    ),
    Rule("age-key", "a private key of age", ANYWHERE, _token(rb"AGE-SECRET-KEY-1[0-9A-Z]{58}"), (b"age-secret-key-1",)),
    # Clouds
    Rule(
        "aws-key-id",
        "the id of an AWS access key",
        ANYWHERE,
        _token(rb"A(?:KI|SI)A[A-Z2-7]{16}"),
        (b"akia", b"asia"),
        starts=True,
    ),
    Rule(
        "aws-secret",
        "an AWS secret key or session token",
        ANYWHERE,
        re.compile(
            rb"(?i:secret_?access_?key|aws_?session_?token)[\"']?\s{0,8}[:=]\s{0,8}[\"']?"
            + _NO_VALUE
            + rb"(?P<value>[A-Za-z0-9/+]{40})"
        ),
        (b"access_key", b"accesskey", b"session_token", b"sessiontoken"),
    ),
    Rule("google-key", "a Google API key", ANYWHERE, _token(rb"AIza[\w-]{35}"), (b"aiza",)),
    Rule(
        "google-oauth",
        "a Google OAuth secret or token",
        ANYWHERE,
        _token(rb"GOCSPX-[\w-]{20,64}|ya29\.[\w-]{20,}"),
        (b"gocspx-", b"ya29."),
    ),
    Rule(
        "azure-key",
        "the key of an Azure account",
        ANYWHERE,
        re.compile(rb"Account[Kk]ey=" + _NO_VALUE + rb"(?P<value>[A-Za-z0-9+/]{40,}={0,2})"),
        (b"accountkey=",),
        NOTHING,
    ),
    Rule(
        "azure-signature",
        "a signed Azure address",
        ANYWHERE,
        re.compile(rb"[?&]sig=" + _NO_VALUE + rb"(?P<value>[A-Za-z0-9%+/]{40,})"),
        (b"sig=",),
        re.compile(rb"[^\s\0\"'`&]{0,16384}"),
    ),
    Rule("digitalocean-token", "a DigitalOcean token", ANYWHERE, _token(rb"do[opr]_v1_[0-9a-f]{64}"), (b"_v1_",)),
    Rule(
        "vault-token",
        "a token of HashiCorp Vault",
        ANYWHERE,
        _token(rb"hv[sbr]\.[\w-]{24,}"),
        (b"hvs.", b"hvb.", b"hvr."),
    ),
    Rule("databricks-token", "a Databricks token", ANYWHERE, _token(rb"dapi[0-9a-f]{32}(?:-[0-9])?"), (b"dapi",)),
    # Hosting of code, registries of packages
    Rule(
        "github-token",
        "a GitHub token",
        ANYWHERE,
        _token(rb"gh[opusr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}"),
        (b"gho_", b"ghp_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
    ),
    Rule(
        "gitlab-token",
        "a GitLab token",
        ANYWHERE,
        _token(rb"gl(?:pat|dt|rt|cbt|ptt)-[\w-]{20,}"),
        (b"glpat-", b"gldt-", b"glrt-", b"glcbt-", b"glptt-"),
    ),
    Rule("npm-token", "an npm token", ANYWHERE, _token(rb"npm_[A-Za-z0-9]{36}"), (b"npm_",)),
    Rule("pypi-token", "a PyPI token", ANYWHERE, _token(rb"pypi-AgE[\w-]{50,}"), (b"pypi-age",)),
    Rule("docker-token", "a Docker Hub token", ANYWHERE, _token(rb"dckr_[op]at_[\w-]{27,}"), (b"dckr_",)),
    Rule("huggingface-token", "a Hugging Face token", ANYWHERE, _token(rb"hf_[A-Za-z0-9]{34}"), (b"hf_",), starts=True),
    # Services
    Rule(
        "ai-key",
        "a key of a language model's API",
        ANYWHERE,
        _token(rb"sk-(?:proj-|ant-|or-)?[\w-]{32,}"),
        (b"sk-",),
        starts=True,
    ),
    Rule("slack-token", "a Slack token", ANYWHERE, _token(rb"xox[abeoprs]-[0-9A-Za-z-]{20,}"), (b"xox",), starts=True),
    Rule(
        "slack-webhook",
        "the address of a Slack webhook",
        ANYWHERE,
        re.compile(rb"hooks\.slack\.com/services/(?P<value>T\w{6,}/B\w{6,}/\w{16,})"),
        (b"hooks.slack.com",),
    ),
    Rule(
        "stripe-key",
        "a Stripe key",
        ANYWHERE,
        _token(rb"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}"),
        (b"k_live_", b"k_test_"),
    ),
    Rule("sendgrid-key", "a SendGrid key", ANYWHERE, _token(rb"SG\.[\w-]{22}\.[\w-]{43}"), (b"sg.",), starts=True),
    Rule("telegram-token", "the token of a Telegram bot", ANYWHERE, _token(rb"[0-9]{8,10}:AA[\w-]{33}"), (b":aa",)),
    # The web, databases
    Rule(
        "jwt",
        "a JSON web token",
        ANYWHERE,
        re.compile(rb"(?<![A-Za-z0-9])eyJ[\w-]{8,512}\.eyJ[\w-]{8}"),
        (b"eyj",),
        reach=560,
        starts=True,
    ),
    Rule(
        "url-password",
        "a connection string or address with a password",
        ANYWHERE,
        re.compile(
            rb"(?<=[a-z0-9+])://[^\s\0/:@\"'<>{}$%]{0,64}:" + _NO_VALUE + rb"(?P<value>[^\s\0/@\"'<>{}$]{3,128})@[\w\[]"
        ),
        (b"://",),
        NOTHING,
        starts=True,
    ),
    Rule(
        "authorization",
        "an HTTP header that authorizes",
        ANYWHERE,
        re.compile(
            rb"(?i:authorization)[\"']?\s{0,8}[:=]\s{0,8}[\"']?(?i:bearer|basic|token)\s{1,8}"
            + _NO_VALUE
            + rb"(?P<value>[\w.~+/=-]{12,})",
        ),
        (b"authorization",),
    ),
    Rule(
        "cookie",
        "a cookie in an HTTP header",
        ANYWHERE,
        re.compile(
            rb"(?i:(?<![\w-])(?:set-)?cookie)[\"']?:\s{0,8}[\"']?"
            + _NO_VALUE
            + rb"(?P<value>[\w.-]{1,64}=[\w.~+/%=-]{12,})"
        ),
        (b"cookie",),
        re.compile(rb"[^\r\n\0\"'`]{0,16384}"),
    ),
    Rule(
        "cookie-jar",
        "a cookie in a cookie jar",
        FILE,
        re.compile(
            rb"^(?:#HttpOnly_)?[.\w-]{1,255}\t(?:TRUE|FALSE)\t/[^\t\n]{0,255}\t(?:TRUE|FALSE)\t[0-9]{1,20}"
            rb"\t[^\t\n]{1,255}\t" + _NO_VALUE + rb"(?P<value>[^\s])",
            re.MULTILINE,
        ),
        (b"\ttrue\t", b"\tfalse\t"),
        LINE,
        1024,
    ),
    # Variables, arguments
    Rule(
        "ci-variable",
        "a variable by which a CI system grants access",
        VARIABLE,
        re.compile(
            rb"\A(?:CI_(?:JOB_TOKEN|JOB_JWT\w*|REGISTRY_PASSWORD|DEPLOY_PASSWORD)|GITHUB_TOKEN|GH_TOKEN|SYSTEM_ACCESSTOKEN"
            rb"|ACTIONS_(?:RUNTIME_TOKEN|ID_TOKEN_REQUEST_TOKEN)|CIRCLE_(?:TOKEN|OIDC_TOKEN\w*)|BUILDKITE_AGENT_ACCESS_TOKEN"
            rb"|BITBUCKET_STEP_OIDC_TOKEN|CODECOV_TOKEN|TRAVIS_API_TOKEN)=" + _NO_VALUE + rb"[^\s]"
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
            + _NO_VALUE
            + rb"[^\s/]"
        ),
        (b"key", b"token", b"secret", b"password", b"credentials"),
    ),
    Rule(
        "database-variable",
        "a variable with the password of a database",
        VARIABLE,
        re.compile(rb"\A(?:PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH|SQLCMDPASSWORD)=" + _NO_VALUE + rb"[^\s]"),
        (b"password", b"mysql_pwd", b"rediscli_auth"),
    ),
    Rule(
        "secret-variable",
        "a variable that is named as a secret",
        GIVEN,
        re.compile(
            rb"(?:\A|(?<=[\0\s;]))(?:[a-z0-9_]{0,64}_)?"
            + _SECRET_NAME
            + rb"(?:_(?:key|base64|b64)|_?[0-9]{1,3})?=[\"']?"
            + _NO_VALUE
            + _NO_PATH
            + rb"(?P<value>[^\s\0\"';])",
            re.IGNORECASE,
        ),
        _SECRET_NEEDLES,
    ),
    Rule(
        "secret-option",
        "an option that is named as a secret",
        TYPED,
        re.compile(
            rb"(?:\A|(?<=[\0\s]))--?(?:[a-z0-9]{1,32}[-_]){0,4}"
            + _SECRET_NAME
            + rb"(?:=[\"']?|\0)"
            + _NO_VALUE
            + _NO_PATH
            + rb"(?P<value>[^\s\0\"'-])",
            re.IGNORECASE,
        ),
        tuple(option + end for option in _OPTIONS for end in (b"=", b"\0")),
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
            rb"|redis-cli[\0 ](?:[^\n]{0,500}?[\0 ])?-a[\0 ][\"']?)" + _NO_VALUE + rb"(?P<value>[^\s\0\"'$<])"
        ),
        (b"curl", b"sshpass", b"mysql", b"mariadb", b"redis-cli"),
        reach=640,
    ),
    # Files
    Rule(
        "netrc",
        "a password in .netrc",
        _named(rb"[._]netrc"),
        re.compile(rb"(?<!\S)password\s{1,80}" + _NO_VALUE + rb"(?P<value>\S)"),
        rest=re.compile(rb"\S{0,4096}"),
    ),
    Rule(
        "ssh-key",
        "a file that SSH keeps to itself",
        re.compile(
            rb"(?:/\.ssh/(?!known_hosts|authorized_keys|config\Z|environment\Z|rc\Z)[^/]*|/etc/ssh/[^/]*_key)(?<!\.pub)\Z"
        ),
        None,
    ),
    Rule(
        "aws-file",
        "credentials in .aws",
        re.compile(rb"/\.aws/"),
        re.compile(
            rb"(?i:secret_?access_?key|session_?token|access_?token|client_?secret)[^\w\n]{1,8}"
            + _NO_VALUE
            + rb"(?P<value>[\w/+.-]{16})"
        ),
    ),
    Rule(
        "docker-login",
        "a login to a registry of images",
        _named(rb"\.docker/config\.json|\.dockercfg|containers/auth\.json"),
        re.compile(
            rb'"(?:auth|identitytoken|registrytoken|password)"\s{0,80}:\s{0,80}"' + _NO_VALUE + rb'(?P<value>[^"\s]{6})'
        ),
    ),
    Rule(
        "kubernetes-login",
        "a login to Kubernetes",
        _named(rb"\.kube/[^/]*|kubeconfig|serviceaccount/token"),
        re.compile(
            rb"(?:client-key-data|token|password|id-token|refresh-token):[ \t]{1,8}[\"']?"
            + _NO_VALUE
            + rb"(?P<value>[^\s\"']{6})|\AeyJ"
        ),
    ),
    Rule(
        "pgpass",
        "a password in .pgpass",
        _named(rb"\.pgpass"),
        re.compile(
            rb"^[^#:\n][^:\n]{0,255}:[^:\n]{0,9}:[^:\n]{0,255}:[^:\n]{0,255}:" + _NO_VALUE + rb"(?P<value>[^\s])",
            re.MULTILINE,
        ),
        rest=LINE,
    ),
    Rule(
        "registry-login",
        "a login to a registry of packages",
        _named(rb"\.npmrc|\.yarnrc(?:\.yml)?|\.pypirc|\.condarc"),
        re.compile(
            rb"(?:_authToken|_auth|_password|npmAuthToken|password)[ \t]{0,8}[:=][ \t]{0,8}[\"']?"
            + _NO_VALUE
            + rb"(?P<value>[^\s\"'$]{6})"
        ),
    ),
    Rule(
        "credential-store",
        "a store of credentials",
        _named(
            rb"\.git-credentials|git/credentials|gh/hosts\.yml|\.vault-token|rclone\.conf|kaggle\.json|huggingface/token"
            rb"|\.cargo/credentials(?:\.toml)?|\.gem/credentials|gcloud/(?:credentials\.db|access_tokens\.db|application_default_credentials\.json)"
            rb"|\.azure/(?:accessTokens\.json|msal_token_cache\.[^/]*)|\.gnupg/(?:private-keys-v1\.d/[^/]*|secring\.gpg)|keyrings/[^/]*\.keyring"
            rb"|etc/g?shadow-?|[^/]*\.kdbx|[^/]*\.p12|[^/]*\.pfx|[^/]*\.keytab|krb5cc_[^/]*"
        ),
        None,
    ),
    Rule(
        "browser-store",
        "the cookies or passwords of a browser",
        _named(rb"cookies\.sqlite|Cookies|key[34]\.db|logins\.json|Login Data"),
        None,
    ),
    Rule(
        "secret-setting",
        "a setting that is named as a secret",
        SETTINGS,
        re.compile(
            rb"^[ \t{]{0,64}(?:export[ \t]{1,8})?[\"']?(?:[\w.-]{0,64}[_.-])?"
            + _SECRET_NAME
            + rb"[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?"
            + _NO_VALUE
            + rb"(?P<value>[^\s\"'#;,\[\]{}()]{6})",
            re.IGNORECASE | re.MULTILINE,
        ),
        _SECRET_NEEDLES,
    ),
    Rule(
        "secret-literal",
        "a password, key or token written in a program",
        FILE,
        re.compile(
            rb"(?i:(?<![a-z0-9])(?:password|passwd|passphrase|secret_?key|api_?key|auth_?token|access_?token|client_?secret))"
            rb"[\"']?\]?[ \t]{0,8}(?::?=|:|<-)[ \t]{0,8}(?P<quote>[\"'])"
            + _NO_VALUE
            + rb"(?P<value>[^\s\"'<>{}$()\[\]]{8,128})(?P=quote)"
        ),
        (
            *(b"password", b"passwd", b"passphrase", b"secret_key", b"secretkey", b"api_key", b"apikey"),
            *(b"auth_token", b"authtoken", b"access_token", b"accesstoken", b"client_secret", b"clientsecret"),
        ),
        NOTHING,
    ),
)
