"""Files that programs keep secrets in: those that are secrets as a whole, and those of a known form."""

from __future__ import annotations

import re

from rtrace.privacy.rules.likeness import is_random, is_real
from rtrace.privacy.rules.rule import ANYWHERE, FILE, LINE, NO_VALUE, NOTHING, RECORD, Rule, is_real_value, named

_SECRET_FILES = rb"|".join(
    (
        # code, packages, images
        rb"\.git-credentials|git/credentials|gh/hosts\.yml|glab-cli/config\.yml|\.cargo/credentials(?:\.toml)?|\.gem/credentials",
        rb"\.config/hub|\.composer/auth\.json|composer/auth\.json|\.subversion/auth/[^\0]*|anaconda-client/[^/]*\.token|\.continuum/[^\0]*\.token",
        # clouds
        rb"gcloud/(?:credentials\.db|access_tokens\.db|application_default_credentials\.json|legacy_credentials/[^\0]*)",
        rb"\.azure/(?:accessTokens\.json|msal_token_cache\.[^/]*|service_principal_entries\.[^/]*)|\.oci/[^/]*\.pem|\.aliyun/config\.json",
        rb"\.vault-token|credentials\.tfrc\.json|\.terraformrc|rclone\.conf|\.s3cfg|\.boto|\.passwd-s3fs|\.b2_account_info|\.databrickscfg",
        rb"doctl/config\.yaml|hcloud/cli\.toml|netlify/config\.json|com\.vercel\.cli/auth\.json|\.vercel/auth\.json|\.fly/config\.yml",
        rb"\.supabase/access-token|\.wrangler/config/[^/]*|heroku/credentials|\.pulumi/credentials\.json|\.railway/config\.json",
        rb"\.snowflake/(?:connections|config)\.toml|\.snowsql/config|\.aws/(?:sso|cli)/cache/[^/]*",
        # models and data
        rb"kaggle\.json|kaggle/access_token|huggingface/(?:token|stored_tokens)|\.huggingface/token|\.cdsapirc|\.ecmwfapirc|\.irodsA",
        rb"earthengine/credentials|\.synapseConfig|\.gen3/[^/]*|\.dnanexus_config/[^/]*|\.planet\.json|[^/]*\.ngc|\.modal\.toml",
        rb"\.runpod/config\.toml|vast_api_key|\.lightning/credentials\.json|\.claude/\.credentials\.json|\.codex/auth\.json|\.comet\.config",
        rb"\.replicate/auth|\.cohere/config|\.wandb/credentials[^/]*|\.mlflow/credentials|\.neptune/[^/]*|\.osfcli\.config|\.zenodo(?:_token)?",
        # keys, passwords
        rb"\.gnupg/(?:private-keys-v1\.d/[^/]*|secring\.gpg)|keyrings/[^/]*\.keyring|\.password-store/[^\0]*|\.mylogin\.cnf",
        rb"[^/]*\.kdbx?|[^/]*\.p12|[^/]*\.pfx|[^/]*\.jks|[^/]*\.keystore|[^/]*\.keytab|krb5cc_[^/]*|\.vnc/passwd",
        rb"[^/]*\.agilekeychain|sitemanager\.xml|recentservers\.xml|credentials-config\.json|\.smbcredentials|[^/]*\.mobileprovision",
    )
)

STORES = (
    Rule(
        "netrc",
        "a password in .netrc",
        named(rb"[._]?netrc[^/]*"),
        re.compile(rb"(?<!\S)(?:password|passwd|account)\s{1,80}\"?" + NO_VALUE + rb"(?P<value>[^\s\"])"),
        rest=re.compile(rb"[^\s\"]{0,4096}"),
    ),
    Rule(
        "password-hash",
        "a hash of a password",
        named(
            rb"etc/(?:g?shadow|passwd)[-+~]?|etc/(?:g?shadow|passwd)\.[^/]*|opasswd(?:\.old)?|\.?htpasswd[^/]*|[^/]*\.htpasswd"
            rb"|\.?htdigest[^/]*|[^/]*\.htdigest"
        ),
        re.compile(
            rb"^[^:\s]{1,256}:(?:(?:[^:\r\n]{0,256}:){0,2}[!*]{0,2}(?=\$[\w-]{1,32}[$,]|\{[\w-]{1,32}\}|[0-9a-f]{32}(?![^:\s]))"
            rb"|[!*]{0,2}(?=[./\w]{13}(?![^:\s])|_[./\w]{19}(?![^:\s])))(?P<value>[^:\s])",
            re.MULTILINE,
        ),
        rest=re.compile(rb"[^:\r\n\0]{0,16384}"),
    ),
    Rule(
        "ssh-key",
        "a file that SSH keeps to itself",
        re.compile(
            rb"(?:/\.ssh/(?!known_hosts|authorized_keys|config\Z|environment\Z|rc\Z)[^/]*|/etc/ssh/[^/]*_key|/id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?)(?<!\.pub)\Z"
        ),
        None,
    ),
    Rule(
        "aws-file",
        "credentials in .aws",
        re.compile(rb"/\.aws/"),
        re.compile(
            rb"(?i:secret_?access_?key|session_?token|access_?token|client_?secret)[^\w\n]{1,8}"
            + NO_VALUE
            + rb"(?P<value>[\w/+.-]{16})"
        ),
    ),
    Rule(
        "docker-login",
        "a login to a registry of images",
        named(rb"\.docker/config\.json|\.dockercfg|\.dockerconfigjson|containers/auth\.json"),
        re.compile(
            rb'"(?:auth|identitytoken|registrytoken|password)"\s{0,80}:\s{0,80}"' + NO_VALUE + rb'(?P<value>[^"\s]{6})'
        ),
    ),
    Rule(
        "registry-auth",
        "a login to a registry",
        ANYWHERE,
        re.compile(
            rb"\\?\"(?:auth|identitytoken|registrytoken)\\?\"\s{0,8}:\s{0,8}\\?\"(?P<value>[A-Za-z0-9+/]{16,4096}={0,2})\\?\""
        ),
        (b'"auth"', b'auth\\"', b"identitytoken", b"registrytoken"),
        NOTHING,
        4200,
        check=lambda _, value: is_random(value),
    ),
    Rule(
        "kubernetes-login",
        "a login to Kubernetes",
        named(rb"\.kube/[^/]*|kubeconfig|[^/]*\.kubeconfig|serviceaccount/token"),
        re.compile(
            rb"(?:client-key-data|token|password|id-token|refresh-token):[ \t]{1,8}[\"']?"
            + NO_VALUE
            + rb"(?P<value>[^\s\"']{6})|\AeyJ"
        ),
    ),
    Rule(
        "kubernetes-key",
        "a key of a client of Kubernetes",
        FILE,
        re.compile(rb"client-key-data[\"']?:[ \t]{0,8}[\"']?" + NO_VALUE + rb"(?P<value>[A-Za-z0-9+/=]{40})"),
        (b"client-key-data",),
        re.compile(rb"[A-Za-z0-9+/=]{0,16384}"),
    ),
    Rule(
        "kubernetes-secret",
        "a secret of Kubernetes",
        FILE,
        re.compile(
            rb"^(?:data|stringData):[ \t]*\r?\n(?P<value>(?:[ \t]{1,16}[^\s][^\r\n]{0,4096}(?:\r?\n|\Z)){1,32})",
            re.MULTILINE,
        ),
        (b"kind: secret", b'kind: "secret'),
        NOTHING,
        4096,
        back=4096,
        check=lambda match, _: re.search(rb"(?m)^kind:[ \t]*[\"']?Secret\b", _document_around(match)) is not None,
    ),
    Rule(
        "pgpass",
        "a password in .pgpass",
        named(rb"\.?pgpass(?:\.conf)?"),
        re.compile(
            rb"^[^#:\n][^:\n]{0,255}:[^:\n]{0,9}:[^:\n]{0,255}:[^:\n]{0,255}:" + NO_VALUE + rb"(?P<value>[^\s])",
            re.MULTILINE,
        ),
        rest=LINE,
    ),
    Rule(
        "registry-login",
        "a login to a registry of packages",
        named(
            rb"\.npmrc|\.yarnrc(?:\.yml)?|\.pypirc|\.condarc|\.bunfig\.toml|[Nn]u[Gg]et\.[Cc]onfig|settings\.xml|gradle\.properties|pip\.conf|poetry/auth\.toml"
        ),
        re.compile(
            rb"(?i:_authToken|_auth|_password|npmAuthToken|npmAuthIdent|password|\"(?:ClearText)?Password\"\s{1,8}value)"
            rb"[ \t]{0,8}[:=>][ \t]{0,8}[\"']?" + NO_VALUE + rb"(?P<value>[^\s\"'$<]{6})"
        ),
        rest=re.compile(rb"[^\s\"'<]{0,4096}"),
    ),
    Rule(
        "wifi-password",
        "the password of a wireless network",
        named(rb"wpa_supplicant[^/]*\.conf|[^/]*\.nmconnection"),
        re.compile(rb"^\s{0,16}(?:psk|password|wep_key0|wep-key0)=\"?(?P<value>[^\s\"])", re.MULTILINE),
        rest=re.compile(rb"[^\r\n\"]{0,256}"),
    ),
    Rule("credential-store", "a store of credentials", named(_SECRET_FILES), None),
    Rule(
        "browser-store",
        "the cookies or passwords of a browser",
        named(rb"cookies\.sqlite(?:-wal)?|Cookies|key[34]\.db|logins\.json|Login Data|Web Data|signons\.sqlite"),
        None,
    ),
    Rule(
        "service-account",
        "the key of a service account",
        ANYWHERE,
        re.compile(rb"\\?\"private_key_id\\?\"\s{0,8}:\s{0,8}\\?\"(?P<value>[0-9a-f]{40})\\?\""),
        (b"private_key_id",),
        NOTHING,
        check=is_real_value,
    ),
    Rule(
        "password-hash",
        "the hash of a password",
        FILE,
        re.compile(
            rb"(?<![\w$])(?P<value>\$(?:1|2[abxy]|5|6|7|y|gy|apr1|argon2(?:id|i|d)|pbkdf2-sha(?:256|512)|scrypt)\$[\w./=,$+-]{30,400})"
        ),
        (
            b"$1$",
            b"$2a$",
            b"$2b$",
            b"$2x$",
            b"$2y$",
            b"$5$",
            b"$6$",
            b"$7$",
            b"$y$",
            b"$gy$",
            b"$apr1$",
            b"$argon2",
            b"$pbkdf2",
            b"$scrypt",
        ),
        NOTHING,
        500,
        check=lambda _, value: is_real(value),
    ),
)


def _document_around(match: re.Match[bytes]) -> bytes:
    """Return the YAML document in which a match stands, as far as it is near."""
    text = match.string
    begin, end = (
        text.rfind(b"\n---", max(match.start() - 4096, 0), match.start()),
        text.find(b"\n---", match.end(), match.end() + 4096),
    )
    return text[max(begin, match.start() - 4096, 0) : end if end >= 0 else match.end() + 4096]


FIELD = Rule(
    "secret-field",
    "a value behind the name of a secret",
    RECORD,
    re.compile(
        rb"(?<![A-Za-z])(?:(?i:password|passwd|passphrase|secret(?:_?key)?|api[-_]?key|(?:access|auth|bearer|refresh|session)?[-_]?token|private[-_]?key|access[-_]?key|credentials?))"
        rb"(?:q[\0-\xff]|r[\0-\xff]{4}|[\0-\x1f\x80-\xff]){0,16}(?:[U\x8cC][\0-\xff]|[XTB][\0-\xff][\0-\x08]{3})?"
        rb"(?P<value>[\w+/=.~!@#%&*-]{12,4096}?)(?=q[\0-\x1f\x80-\xff]|[^\w+/=.~!@#%&*-]|\Z)"
    ),
    (
        b"password",
        b"passwd",
        b"passphrase",
        b"secret",
        b"apikey",
        b"api_key",
        b"api-key",
        b"token",
        b"private_key",
        b"access_key",
        b"credential",
    ),
    NOTHING,
    4300,
    starts=True,
    check=lambda _, value: is_random(value),
    loose=True,
)
"""For binary files, in which lengths and marks stand between a name and its value."""
