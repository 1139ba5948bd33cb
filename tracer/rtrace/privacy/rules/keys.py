"""Private keys, and the keys of clouds and of those who host code, packages and web sites."""

from __future__ import annotations

import re

from rtrace.privacy.rules.rule import ANYWHERE, FILE, NO_VALUE, NOTHING, Rule, beside, blob, is_real_value, token

_KEY_END = re.compile(rb"[^\0]{0,16384}?-----? ?END [A-Z0-9 ]{1,60}-----?|[A-Za-z0-9+/=\s\\]{0,16384}")

PRIVATE_KEYS = (
    Rule(
        "private-key",
        "a private key in PEM or OpenPGP armour",
        ANYWHERE,
        re.compile(
            rb"-----? ?BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)? ?-----?.{0,300}?[A-Za-z0-9+/]{32}",
            re.DOTALL,
        ),
        (b"private key",),
        _KEY_END,
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
    Rule(
        "signing-key",
        "a secret key of minisign or signify",
        FILE,
        re.compile(rb"untrusted comment: [^\n]{0,80}secret key[^\n]{0,80}\r?\n(?P<value>[A-Za-z0-9+/]{64,512}={0,2})"),
        (b"secret key",),
        NOTHING,
        640,
    ),
    Rule(
        "json-web-key",
        "a private JSON web key",
        ANYWHERE,
        re.compile(rb"\\?\"(?:d|k)\\?\"\s{0,8}:\s{0,8}\\?\"(?P<value>[\w-]{32,1400})\\?\""),
        (b'"d":', b'"d" :', b'\\"d\\":', b'"k":', b'\\"k\\":'),
        NOTHING,
        1500,
        check=lambda match, _: b"kty" in match.string[max(match.start() - 2000, 0) : match.end() + 2000],
    ),
    Rule(
        "xml-key",
        "a private RSA key in XML",
        ANYWHERE,
        re.compile(rb"<RSAKeyValue>.{0,2000}?<D>(?P<value>[A-Za-z0-9+/=\s]{64,1400})</D>", re.DOTALL),
        (b"<rsakeyvalue>",),
        NOTHING,
        4000,
    ),
    token("age-key", "a private key of age", rb"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{58,}", b"age-secret-key-"),
)

CLOUDS = (
    token(
        "aws-key-id",
        "the id of an AWS access key",
        rb"A(?:KI|SI|BI|CC)A[A-Z2-7]{16}",
        b"akia",
        b"asia",
        b"abia",
        b"acca",
    ),
    Rule(
        "aws-secret",
        "an AWS secret key or session token",
        ANYWHERE,
        re.compile(
            rb"(?:(?i:secret[-_ ]?access[-_ ]?key|aws[-_ ]?secret(?:[-_ ]?key)?|aws[-_ ]?session[-_ ]?token)"
            rb"[\"'\]\\]{0,4}\s{0,8}(?::?=|:|=>|,|<-|>)\s{0,8}[\"'\\]{0,3}"
            rb"|A[KS]IA[A-Z2-7]{16}[\"'\\]{0,3}[\s,;:|\"'\\]{1,12})"
            + NO_VALUE
            + rb"(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+]{1,3}\b)"
        ),
        (
            b"access_key",
            b"accesskey",
            b"access-key",
            b"access key",
            b"aws_secret",
            b"awssecret",
            b"session_token",
            b"sessiontoken",
            b"akia",
            b"asia",
        ),
        re.compile(rb"[A-Za-z0-9/+=]{0,4096}"),
        check=is_real_value,
    ),
    token(
        "aws-bedrock-key",
        "a key of AWS Bedrock",
        rb"ABSK[A-Za-z0-9+/]{60,}={0,2}|bedrock-api-key-[\w+/=-]{20,}",
        b"absk",
        b"bedrock-api-key-",
    ),
    token("google-key", "a Google API key", rb"AIza[\w-]{35}", b"aiza"),
    token(
        "google-oauth",
        "a Google OAuth secret or token",
        rb"GOCSPX-[\w-]{20,64}|ya29\.[\w-]{20,}|1//0[\w-]{40,}",
        *(b"gocspx-", b"ya29.", b"1//0"),
    ),
    Rule(
        "azure-key",
        "the key of an Azure account",
        ANYWHERE,
        re.compile(
            rb"(?i:(?:Account|SharedAccess|Shared|Primary|Secondary|Access)Key)[\"']?\s?=\s?[\"']?"
            + NO_VALUE
            + rb"(?P<value>[A-Za-z0-9+/]{40,}={0,2})"
        ),
        (b"accountkey", b"accesskey", b"sharedkey", b"primarykey", b"secondarykey"),
        NOTHING,
        check=is_real_value,
    ),
    token("azure-secret", "a client secret of Azure", rb"[\w.~]{3}[0-9]Q~[\w.~-]{31,34}", b"q~", starts=False),
    blob("azure-devops-token", "a token of Azure DevOps", rb"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}", b"azdo", starts=False),
    blob(
        "azure-service-key",
        "a key of an Azure service",
        rb"[A-Za-z0-9]{44}7JQQJ99[A-Za-z0-9]{33}|[\w+/]{52}(?:AzSe|ASt|AzFu|ACDb|APIM|ARmC|AIoT|ACRA)[\w+/]{4,24}={0,2}",
        *(b"jqqj99", b"azse", b"+ast", b"azfu", b"acdb", b"apim", b"aiot", b"acra"),
        starts=False,
    ),
    token(
        "digitalocean-token", "a DigitalOcean token", rb"do[opr]_v1_[0-9a-f]{64}", b"dop_v1_", b"doo_v1_", b"dor_v1_"
    ),
    token("vault-token", "a token of HashiCorp Vault", rb"hv[sbr]\.[\w-]{24,}", b"hvs.", b"hvb.", b"hvr."),
    token(
        "terraform-token", "a Terraform token", rb"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}", b".atlasv1.", starts=False
    ),
    token(
        "databricks-token",
        "a Databricks token",
        rb"(?:dapi|dkea|dose)[0-9a-f]{32}(?:-[0-9])?",
        b"dapi",
        b"dkea",
        b"dose",
    ),
    token("alibaba-key", "the id of an Alibaba Cloud key", rb"LTAI[A-Za-z0-9]{17,21}", b"ltai"),
    token("tencent-key", "the id of a Tencent Cloud key", rb"AKID[A-Za-z0-9]{32}", b"akid"),
    token("ibm-key", "a key of IBM Cloud", rb"(?:Bx)?ApiKey-[0-9a-f-]{36}", b"apikey-", b"bxapikey-"),
    token(
        "yandex-key",
        "a key of Yandex Cloud",
        rb"AQVN[\w-]{35,38}|t1\.[\w-]{10,400}={0,2}\.[\w-]{86}={0,2}",
        b"aqvn",
        b"t1.",
    ),
    beside("yandex-secret", "a key of Yandex Cloud", rb"yandex|yc_", rb"YC[\w-]{38}", b"yandex", b"yc_"),
    token("openstack-token", "a token of OpenStack", rb"gAAAAAB[\w-]{80,}={0,2}", b"gaaaaab"),
    token(
        "cloudflare-key",
        "a key of Cloudflare",
        rb"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|cf(?:ut|at|k)_[A-Za-z0-9_-]{40,}",
        b"v1.0-",
        b"cfut_",
        b"cfat_",
        b"cfk_",
    ),
    token(
        "vercel-token",
        "a token of Vercel",
        rb"vc[pikar]_[A-Za-z0-9]{24,}|vercel_blob_rw_\w{30,}",
        b"vcp_",
        b"vci_",
        b"vck_",
        b"vca_",
        b"vcr_",
        b"vercel_blob_rw_",
    ),
    token("netlify-token", "a token of Netlify", rb"nf[pcu]_[A-Za-z0-9]{36,}", b"nfp_", b"nfc_", b"nfu_"),
    token(
        "supabase-key", "a key of Supabase", rb"sbp_(?:v0_)?[0-9a-f]{40}|sb_secret_[\w-]{31,}", b"sbp_", b"sb_secret_"
    ),
    token(
        "flyio-token",
        "a token of Fly.io",
        rb"fo1_[\w-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3}",
        b"fo1_",
        b"fm1",
        b"fm2_",
    ),
    token("heroku-key", "a key of Heroku", rb"HRKU-[\w-]{36,}", b"hrku-"),
    token("planetscale-token", "a token of PlanetScale", rb"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,64}", b"pscale_"),
    token("pulumi-token", "a token of Pulumi", rb"pul-[a-f0-9]{40}", b"pul-"),
    token("openshift-token", "a token of OpenShift", rb"sha256~[\w-]{43}", b"sha256~"),
    token("scalingo-token", "a token of Scalingo", rb"tk-us-[\w-]{48}", b"tk-us-"),
    token(
        "doppler-token",
        "a token of Doppler",
        rb"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]{1,40}\.)?[A-Za-z0-9]{40,44}",
        b"dp.pt.",
        b"dp.st.",
        b"dp.ct.",
        b"dp.sa.",
        b"dp.scim.",
        b"dp.audit.",
    ),
    token(
        "snowflake-token",
        "a token of Snowflake",
        rb"ver:[0-9]-hint:[0-9]{1,20}-did:[0-9]{1,8}-ETMs[A-Za-z0-9+/=]{40,}",
        b"-hint:",
        starts=False,
    ),
    beside("heroku-uuid", "a key of Heroku", rb"heroku", rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"heroku"),
    beside(
        "cloudflare-token",
        "a key of Cloudflare",
        rb"cloudflare|cf_api",
        rb"[\w-]{40}|[0-9a-f]{37}",
        b"cloudflare",
        b"cf_api",
    ),
    beside("hetzner-token", "a token of Hetzner", rb"hcloud|hetzner", rb"[A-Za-z0-9]{64}", b"hcloud", b"hetzner"),
)

HOSTING = (
    token(
        "github-token",
        "a GitHub token",
        rb"gh[opusr]_[A-Za-z0-9_]{36,}|github_pat_\w{40,}",
        *(b"gho_", b"ghp_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
    ),
    token(
        "gitlab-token",
        "a GitLab token",
        rb"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|ffct|imt|agent|oas|soat|wt)-[\w.-]{20,300}|GR1348941[\w-]{20}|_gitlab_session=[0-9a-z]{32}",
        *(b"glpat-", b"gldt-", b"glrt-", b"glrtr-", b"glcbt-", b"glptt-", b"glft-", b"glffct-", b"glimt-", b"glagent-"),
        *(b"gloas-", b"glsoat-", b"glwt-", b"gr1348941", b"_gitlab_session="),
    ),
    token(
        "bitbucket-token",
        "a token of Atlassian or Bitbucket",
        rb"(?:ATATT3|ATBB|ATCTT3|ATSTT3)[\w=-]{24,}",
        b"atatt3",
        b"atbb",
        b"atctt3",
        b"atstt3",
    ),
    token("npm-token", "an npm token", rb"npm_[A-Za-z0-9]{36}", b"npm_"),
    token("pypi-token", "a PyPI token", rb"pypi-AgE[\w-]{50,}", b"pypi-age"),
    token("rubygems-token", "a token of RubyGems", rb"rubygems_[a-f0-9]{48}", b"rubygems_"),
    token(
        "crates-token",
        "a token of crates.io",
        rb"cio[A-Za-z0-9]{32}",
        *(mark + b"cio" for mark in (b" ", b"=", b"'", b'"', b":", b"\n")),
        b"cargo",
        starts=False,
    ),
    token("nuget-key", "a key of NuGet", rb"oy2[a-z0-9]{43}", b"oy2"),
    token("clojars-token", "a token of Clojars", rb"CLOJARS_[a-z0-9]{60}", b"clojars_"),
    token("docker-token", "a Docker Hub token", rb"dckr_[op]at_[\w-]{27,}", b"dckr_"),
    blob(
        "artifactory-token", "a token of Artifactory", rb"AKCp[A-Za-z0-9]{60,}|cmVmd[A-Za-z0-9]{59}", b"akcp", b"cmvmd"
    ),
    token(
        "sourcegraph-token", "a token of Sourcegraph", rb"sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}", b"sgp_"
    ),
)
