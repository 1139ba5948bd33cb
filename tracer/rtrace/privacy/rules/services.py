"""The keys of models, data repositories and other services."""

from __future__ import annotations

import re

from rtrace.privacy.rules.names import any_of
from rtrace.privacy.rules.rule import ANYWHERE, HEX, NOTHING, Rule, beside, blob, is_real_value, token

_NAMES = tuple(
    (
        b"adafruit adobe airtable algolia alibaba asana atlassian beamer bitbucket bittrex codecov coinbase confluence"
        b" confluent contentful datadog discord droneci dropbox etsy facebook fastly finicity finnhub flickr freshbooks"
        b" gitter gocardless hubspot intercom jfrog artifactory bintray jira kraken kucoin launchdarkly linkedin"
        b" linked_in mattermost meraki messagebird message_bird netlify newrelic new_relic new-relic nytimes okta"
        b" pagerduty plaid privateai private_ai rapidapi sendbird sentry snyk softlayer cloudant sonar squarespace sumo"
        b" travis trello twilio twitch twitter yandex zendesk"
    ).split()
)
_UUID = rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

MODELS = (
    token(
        "ai-key",
        "a key of a language model's API",
        rb"sk-(?:(?:proj|svcacct|admin|None|ant-\w{1,12}|or(?:-v1)?|lf|litellm)-)?[\w-]{32,}",
        b"sk-",
    ),
    token("huggingface-token", "a Hugging Face token", rb"(?:hf_|api_org_)[A-Za-z0-9]{34,}", b"hf_", b"api_org_"),
    token("wandb-key", "a key of Weights & Biases", rb"wandb_v1_\w{60,}|local-[0-9a-f]{40}", b"wandb_v1_", b"local-"),
    beside(
        "wandb-hex", "a key of Weights & Biases", rb"wandb(?:_api)?_?key|api\.wandb\.ai", rb"[0-9a-f]{40}", b"wandb"
    ),
    token("replicate-token", "a token of Replicate", rb"r8_[A-Za-z0-9_-]{37,40}", b"r8_"),
    token("groq-key", "a key of Groq", rb"gsk_[A-Za-z0-9]{40,}", b"gsk_"),
    token("xai-key", "a key of xAI", rb"xai-[A-Za-z0-9_-]{60,}", b"xai-"),
    token("perplexity-key", "a key of Perplexity", rb"pplx-[A-Za-z0-9]{40,}", b"pplx-"),
    token("pinecone-key", "a key of Pinecone", rb"pcsk_\w{40,}", b"pcsk_"),
    token(
        "langsmith-key",
        "a key of LangSmith",
        rb"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}|ls__[0-9a-f]{32}",
        b"lsv2_",
        b"ls__",
    ),
    token("nvidia-key", "a key of NVIDIA", rb"nvapi-[\w-]{50,}", b"nvapi-"),
    Rule(
        "kaggle-key",
        "a key of Kaggle",
        ANYWHERE,
        re.compile(
            rb"\\?\"username\\?\"\s{0,8}:\s{0,8}\\?\"[^\"\\\n]{1,64}\\?\"\s{0,8},\s{0,8}\\?\"key\\?\"\s{0,8}:\s{0,8}\\?\""
            rb"(?P<value>[0-9a-f]{32})"
        ),
        (b'"username"', b'"username\\"'),
        NOTHING,
        check=is_real_value,
    ),
    token("kaggle-token", "a token of Kaggle", rb"KGAT_[0-9a-f]{32}", b"kgat_"),
    blob("fireworks-key", "a key of Fireworks", rb"fw_[A-Za-z0-9]{20,40}", b"fw_"),
    token("cerebras-key", "a key of Cerebras", rb"csk-[a-z0-9]{40,}", b"csk-"),
    token("together-key", "a key of Together", rb"tgp_v1_[\w-]{40,}", b"tgp_v1_"),
    token("voyage-key", "a key of Voyage or Jina", rb"pa-[\w-]{43}|jina_[0-9a-f]{32}[\w-]{20,}", b"pa-", b"jina_"),
    token("elevenlabs-key", "a key of ElevenLabs", rb"sk_[0-9a-f]{48}", *(b"sk_" + digit for digit in HEX)),
    token(
        "assistant-key",
        "a key of a service for agents",
        rb"(?:tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}|e2b_[0-9a-f]{40}|fc-[0-9a-f]{32}|rpa_[A-Z0-9]{40,}\w*)",
        *(b"tvly-", b"e2b_", b"fc-", b"rpa_"),
    ),
    token("prefect-key", "a key of a workflow service", rb"pn[ub]_[A-Za-z0-9]{36}|exo_\w{30,}", b"pnu_", b"pnb_"),
)

SERVICES = (
    token(
        "slack-token",
        "a Slack token",
        rb"xox[abeoprscd](?:\.xox[bp])?-[0-9A-Za-z-]{20,}|xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{20,}",
        b"xox",
        b"xapp-",
    ),
    token(
        "stripe-key",
        "a Stripe key",
        rb"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=]{32,}",
        *(kind + b"k_" + place for kind in (b"s", b"r") for place in (b"live_", b"test_", b"prod_")),
        b"whsec_",
    ),
    token("sendgrid-key", "a SendGrid key", rb"SG\.[\w=.-]{40,70}", b"sg."),
    token("telegram-token", "the token of a Telegram bot", rb"[0-9]{5,16}:AA[\w-]{33}", b":aa", starts=False),
    token(
        "discord-token",
        "the token of a Discord bot",
        rb"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}",
        b"discord",
        b"bot_token",
        b"bot token",
        b"bot ",
        starts=False,
    ),
    token(
        "twilio-key",
        "a key of Twilio",
        rb"SK[0-9a-f]{32}",
        *(
            b"sk" + one + other + third
            for one in HEX
            for other in HEX
            for third in (HEX if one + other == b"ed" else (b"",))
        ),
    ),
    token(
        "mailgun-key",
        "a key of Mailgun",
        rb"(?:pub)?key-[0-9a-f]{32}|[0-9a-h]{32}-[0-9a-h]{8}-[0-9a-h]{8}",
        *(b"key-" + digit for digit in HEX),
        b"pubkey-",
        b"mailgun",
        starts=False,
    ),
    token(
        "mailchimp-key",
        "a key of Mailchimp",
        rb"[0-9a-f]{32}-us[0-9]{1,2}",
        *(b"-us%d" % number for number in range(1, 10)),
        starts=False,
    ),
    token("sendinblue-key", "a key of Brevo", rb"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}", b"xkeysib-"),
    token(
        "shopify-token",
        "a token of Shopify",
        rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        b"shpat_",
        b"shpca_",
        b"shppa_",
        b"shpss_",
    ),
    token("square-token", "a token of Square", rb"sq0(?:atp|csp|idp)-[\w-]{22,43}", b"sq0"),
    blob("square-legacy-token", "a token of Square", rb"EAAA[\w-]{56,60}", b"eaaa"),
    blob("facebook-token", "a token of Facebook", rb"EAA[A-Z][A-Za-z0-9]{90,}", b"eaa"),
    beside(
        "facebook-app-token",
        "a token of Facebook",
        rb"facebook|fb_",
        rb"[0-9]{15,16}\|[\w-]{27,40}",
        b"facebook",
        b"fb_",
    ),
    token(
        "grafana-token",
        "a token of Grafana",
        rb"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,400}={0,3}|eyJrIjoi[A-Za-z0-9]{70,400}={0,3}",
        b"glsa_",
        b"glc_",
        b"eyjrijoi",
    ),
    token("sentry-token", "a token of Sentry", rb"sntrys_[\w+/=-]{60,}|sntryu_[a-f0-9]{64}", b"sntrys_", b"sntryu_"),
    token(
        "newrelic-key",
        "a key of New Relic",
        rb"NR(?:AK|JS|II|RA)-[A-Za-z0-9_-]{19,32}|[0-9a-f]{36}NRAL",
        b"nrak-",
        b"nrjs-",
        b"nrii-",
        b"nrra-",
        b"nral",
        starts=False,
    ),
    token("dynatrace-token", "a token of Dynatrace", rb"dt0[a-z][0-9]{2}\.[A-Z0-9a-z]{24}\.[A-Z0-9a-z]{64}", b"dt0"),
    token("postman-key", "a key of Postman", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", b"pmak-"),
    token("notion-token", "a token of Notion", rb"ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43}", b"ntn_", b"secret_"),
    token("linear-key", "a key of Linear", rb"lin_(?:api|oauth)_[A-Za-z0-9]{40,}", b"lin_api_", b"lin_oauth_"),
    token("airtable-token", "a token of Airtable", rb"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", b"airtable", starts=False),
    token("asana-token", "a token of Asana", rb"[0-9]/[0-9]{16}(?:/[0-9]{16})?:[0-9a-f]{32}", b"1/1", b"2/1", b"0/1"),
    token("figma-token", "a token of Figma", rb"figd_[\w-]{38,}", b"figd_"),
    token("adobe-secret", "a client secret of Adobe", rb"p8e-[A-Za-z0-9_-]{32}", b"p8e-"),
    token(
        "onepassword-key",
        "a key of 1Password",
        rb"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}|ops_eyJ[A-Za-z0-9+/]{200,}={0,3}",
        b"a3-",
        b"ops_eyj",
    ),
    token(
        "authress-key",
        "a key of Authress",
        rb"(?:sc|ext|scauth|authress)_[A-Za-z0-9]{5,30}\.[A-Za-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}",
        b".acc-",
        b".acc_",
        starts=False,
    ),
    token("duffel-token", "a token of Duffel", rb"duffel_(?:test|live)_[\w=-]{43}", b"duffel_"),
    token("shippo-token", "a token of Shippo", rb"shippo_(?:live|test)_[a-fA-F0-9]{40}", b"shippo_"),
    token("easypost-token", "a token of EasyPost", rb"EZ[AT]K[A-Za-z0-9]{54}", b"ezak", b"eztk"),
    token(
        "flutterwave-key",
        "a key of Flutterwave",
        rb"FLW(?:SECK|PUBK)(?:_TEST)?-[a-h0-9A-H]{12,40}(?:-X)?",
        b"flwseck",
        b"flwpubk",
    ),
    token("frameio-token", "a token of Frame.io", rb"fio-u-[\w=-]{64}", b"fio-u-"),
    token(
        "harness-key",
        "a key of Harness",
        rb"(?:pat|sat)\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",
        b"pat.",
        b"sat.",
    ),
    token("infracost-key", "a key of Infracost", rb"ico-[A-Za-z0-9]{32}", b"ico-"),
    token("intra42-secret", "a client secret of 42", rb"s-s4t2(?:ud|af)-[a-f0-9]{64}", b"s-s4t2"),
    token("maxmind-key", "a key of MaxMind", rb"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", b"_mmk", starts=False),
    token("mapbox-token", "a token of Mapbox", rb"[ps]k\.eyJ[A-Za-z0-9]{57,}\.[\w-]{22}", b"pk.eyj", b"sk.eyj"),
    token("octopus-key", "a key of Octopus Deploy", rb"API-[A-Z0-9]{26,32}", b"api-"),
    token("plaid-token", "a token of Plaid", rb"access-(?:sandbox|development|production)-" + _UUID, b"access-"),
    token("readme-key", "a key of ReadMe", rb"rdme_[a-z0-9]{70}", b"rdme_"),
    token(
        "settlemint-token", "a token of SettleMint", rb"sm_[aps]at_[A-Za-z0-9]{16}", b"sm_aat_", b"sm_pat_", b"sm_sat_"
    ),
    token("typeform-token", "a token of Typeform", rb"tfp_[\w.=-]{40,}", b"tfp_"),
    token("defined-token", "a token of Defined Networking", rb"dnkey-[\w=-]{26}-[\w=-]{52}", b"dnkey-"),
    token("dropbox-token", "a token of Dropbox", rb"sl\.(?:u\.)?[\w=-]{130,}", b"sl.b", b"sl.u."),
    blob("clickhouse-key", "a key of ClickHouse Cloud", rb"4b1d[A-Za-z0-9]{38}", b"4b1d"),
    token("twitter-token", "a bearer token of X", rb"A{20,22}[A-Za-z0-9%]{60,120}", b"aaaaaaaaaaaaaaaaaaaa"),
    beside(
        "service-key",
        "a key of a service",
        any_of(_NAMES),
        rb"(?=[A-Za-z_=/+-]{0,64}[0-9])(?=[0-9_=/+-]{0,64}[A-Za-z])[\w=/+-]{24,128}",
        *_NAMES,
    ),
)
