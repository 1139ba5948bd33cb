"""Secrets as people leave them lying about, and what only looks like one: names of files, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

# See secret_planting.py for the shapes. What is to be found are the values that are made up, of 10 characters and more.
ASSIGNMENTS = (
    ("deploy.sh", "export X_PASSWORD={16}"),
    ("quoted.sh", "export DB_PASSWORD='{14}' # never tell"),
    ("run.sh", "PGPASSWORD={16} psql -h db.example"),
    ("run.csh", "setenv X_TOKEN {24}"),
    ("run.fish", "set -gx STUDY_KEY {32}"),
    ("run.bat", "set X_PASSWORD={16}"),
    ("run.ps1", '$env:X_PASSWORD = "{16}"'),
    (".env", "SECRET_KEY={32}"),
    (".env.local", 'API_PASSWORD="{12}"'),
    ("prod.env", "STUDY_PASSWORD={12}"),
    (".envrc", "export GITLAB_PW={20}"),
    (".Renviron", "STUDY_TOKEN={24}"),
    ("Renviron.site", "CENSUS_API_KEY={40}"),
    ("compose.yml", "services:\n  db:\n    environment:\n      - POSTGRES_PASSWORD={14}"),
    ("compose2.yml", "services:\n  db:\n    environment:\n      MYSQL_ROOT_PASSWORD: {14}"),
    ("deployment.yaml", "env:\n  - name: DB_PASSWORD\n    value: {16}"),
    ("flow.yaml", "db: {user: reader, password: {14}, host: db.example}"),
    ("secret.yaml", "apiVersion: v1\ndata:\n  word: {24}\nkind: Secret"),
    ("config.json", '{"db": {"user": "reader", "password": "{14}"}}'),
    ("pairs.json", '[{"name": "API_TOKEN", "value": "{24}"}]'),
    ("config.toml", '[db]\nsecret = "{14}"'),
    ("study.ini", "[db]\npassword = {14}"),
    ("study.properties", "spring.datasource.password={14}"),
    ("config.xml", "<config><password>{14}</password></config>"),
    ("web.config", '<add key="Password" value="{14}"/>'),
    ("keys.plist", "<key>api_token</key>\n<string>{32}</string>"),
    ("main.tf", 'variable "db_password" {\n  default = "{16}"\n}'),
    ("Dockerfile", "FROM scratch\nENV API_TOKEN {32}"),
    ("study.service", 'Environment="X_PASSWORD={16}"'),
    ("study.R", 'Sys.setenv(STUDY_TOKEN = "{24}")'),
    ("study2.R", 'password <- "{14}"'),
    ("study.py", 'os.environ["X_PASSWORD"] = "{14}"'),
    ("study2.py", 'requests.get(url, auth=("reader", "{20}"))'),
    ("study3.py", 'client = Client(api_key="{32}")'),
    ("study.js", "const apiKey = '{32}';"),
    ("study.jl", 'ENV["API_TOKEN"] = "{32}"'),
    ("study.go", 'const apiToken string = "{32}"'),
    ("study.c", '#define API_KEY "{32}"'),
    ("study.sql", "CREATE USER reader IDENTIFIED BY '{14}';"),
    ("notes.txt", "the password: {14}"),
    ("study.log", "connected with token={32}"),
    ("study.ipynb", '{"cells": [{"source": ["api_key = \\"{32}\\"\\n"]}]}'),
    ("output.ipynb", '{"cells": [{"outputs": [{"text": ["token: {40}\\n"]}]}]}'),
)
ADDRESSES = (
    ("query.txt", "https://x.example/data?a=1&access_token={32}&b=2"),
    ("remote/.git/config", '[remote "origin"]\n\turl = https://reader:{24}@x.example/a.git'),
    ("user.txt", "git clone https://{40}@x.example/a.git"),
    ("pip.conf", "[global]\nextra-index-url = https://reader:{20}@pypi.x.example/simple"),
    ("requirements.txt", "--extra-index-url https://{24}@pypi.x.example/simple"),
    ("conda/.condarc", "channels:\n  - https://conda.x.example/t/{36}/study"),
    ("slack.txt", "https://hooks.sl~ack.com/services/T{9u}/B{9u}/{24}"),
    ("discord.txt", "https://disc~ord.com/api/webhooks/{18d}/{68}"),
    ("teams.txt", "https://x.webhook.off~ice.com/webhookb2/{32x}@{32x}/IncomingWebhook/{32x}/{12x}"),
    ("telegram.txt", "https://api.tele~gram.org/bot{9d}:A~A{33}/sendMessage"),
    ("chat.txt", "https://chat.goo~gleapis.com/v1/spaces/{11}/messages?key=k&token={43}"),
    ("zapier.txt", "https://hooks.za~pier.com/hooks/catch/{10d}/{12}/"),
    ("ifttt.txt", "https://maker.if~ttt.com/trigger/done/with/key/{22}"),
    ("postgres.txt", "postgresql+psycopg2://reader:{14}@db.example:5432/results"),
    ("mongo.txt", "mongodb+srv://reader:{14}@db.example/results"),
    ("redis.txt", "redis://:{16}@db.example:6379/0"),
    ("jdbc.txt", "jdbc:mysql://db.example/results?user=reader&password={14}"),
    ("oracle.txt", "jdbc:oracle:thin:reader/{14}@db.example:1521:x"),
    ("odbc.txt", "Driver={ODBC Driver 17};Server=db.example;Uid=reader;Pwd={14};"),
    ("azure.txt", "DefaultEndpointsProtocol=https;AccountName=x;Account~Key={86}=="),
    ("bus.txt", "Endpoint=sb://x.example/;SharedAccessKeyName=Root;SharedAccess~Key={43}="),
    ("sas.txt", "https://x.example/c?sv=2020&s~ig={43}%3D"),
    ("amqp.txt", "amqp://reader:{14}@mq.example/v"),
)
STORES = (
    ("netrc", "machine x.example login reader password {16}"),
    ("home/.pgpass", "db.example:5432:results:reader:{14}"),
    ("home/.my.cnf", "[client]\nuser=reader\npassword={14}"),
    ("home/.npmrc", "//x.example/:_auth~Token={36}"),
    ("home/.cargo/credentials.toml", '[registry]\ntoken = "{32}"'),
    ("home/.docker/config.json", '{"auths": {"x.example": {"auth": "{40}"}}}'),
    ("home/.kube/config", "users:\n- user:\n    client-key-data: {80}"),
    ("home/.aws/credentials", "[default]\naws_secret_acc~ess_key = {40}"),
    ("home/.config/rclone/rclone.conf", "[x]\npass = {40}"),
    ("home/.kaggle/kaggle.json", '{"username": "reader", "key": "{32x}"}'),
    ("home/.cdsapirc", "url: https://x.example\nkey: {36x}"),
    ("home/.cache/huggingface/token", "{34}"),
    ("keys.csv", "Access key ID,Secret access key\nAK~IA{16u},{40}"),
    (
        "service.json",
        '{"private_key_id": "{40x}", "private_key": "--~---BEGIN PRIV~ATE KEY-----\\n{64}\\n{64}\\n-----END"}',
    ),
)
TOKENS = (
    ("openai.txt", "s~k-proj-{48}"),
    ("anthropic.txt", "s~k-ant-api03-{93}AA"),
    ("huggingface.txt", "h~f_{34}"),
    ("wandb.sh", "wandb login {40x}"),
    ("replicate.txt", "r~8_{37}"),
    ("cohere.py", 'COHERE_API_KEY = "{40}"'),
    ("mistral.py", 'MISTRAL_API_KEY = "{32}"'),
    ("groq.txt", "gs~k_{52}"),
    ("xai.txt", "xa~i-{80}"),
    ("pinecone.txt", "pc~sk_{12}_{50}"),
    ("langsmith.txt", "ls~v2_pt_{32x}_{10x}"),
    ("nvidia.txt", "nva~pi-{64}"),
    ("digitalocean.txt", "do~p_v1_{64x}"),
    ("hetzner.py", 'HCLOUD_TOKEN = "{64}"'),
    ("cloudflare.py", 'CLOUDFLARE_API_TOKEN = "{40}"'),
    ("supabase.txt", "sb~p_{40x}"),
    ("databricks.txt", "da~pi{32x}"),
    ("github.txt", "github~_pat_{22}_{59}"),
    ("gitlab.txt", "gl~pat-{20}"),
    ("npm.txt", "np~m_{36}"),
    ("pypi.txt", "py~pi-AgEIcHlwaS5vcmc{60}"),
    ("docker.txt", "dck~r_pat_{27}"),
    ("terraform.txt", "{14}.atlas~v1.{64}"),
    ("vault.txt", "hv~s.{90}"),
    ("zenodo.py", 'zenodo_token = "{60}"'),
    ("osf.py", 'OSF_TOKEN = "{70}"'),
    ("figshare.py", 'figshare_token = "{128x}"'),
    ("key.pem", "--~---BEGIN ENCRYPTED PRIV~ATE KEY-----\n{64}\n{64}\n-----END ENCRYPTED PRIV~ATE KEY-----"),
    ("key.asc", "--~---BEGIN PGP PRIV~ATE KEY BLOCK-----\n\n{64}\n{64}\n-----END PGP PRIV~ATE KEY BLOCK-----"),
    ("key.ppk", "PuTTY-User-Key~-File-3: ssh-ed25519\nPrivate-Lines: 1\n{64}"),
    ("age.txt", "AGE-SEC~RET-KEY-1{58u}"),
    ("jwt.txt", "ey~J{20}.ey~J{40}.{43}"),
    ("cookie.txt", "Cookie: theme=light; session={32}"),
    ("cookie.py", 'cookies = {"sessionid": "{32}"}'),
    ("header.sh", 'curl -H "X-Auth-Token: {32}" https://x.example'),
    ("bearer.py", 'headers = {"Authorization": "Bea~rer {40}"}'),
)
PLANTED = ASSIGNMENTS + ADDRESSES + STORES + TOKENS

# Nothing in these is a secret.
CLEAN = {
    "package-lock.json": (
        '{"node_modules/js-tokens": {"integrity": "sha512-RdJUflcE3cUzKiMqQgsCu06FPu9UdIJO0beYbPhHN4k6apgJ"},\n'
        ' "node_modules/object-keys": {"resolved": "https://x.example/object-keys-1.1.1.tgz"}}'
    ),
    "requirements.lock": "numpy==2.0 --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
    "poetry.lock": (
        'name = "token-bucket"\ncontent-hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"\n'
    ),
    "commits.txt": "3f786850e387550fdab836ed7e6dc881de23001b the key of the password\n",
    "ids.json": ('{"id": "550e8400-e29b-41d4-a716-446655440000",\n "session": "550e8400-e29b-41d4-a716-446655440001"}'),
    "example.env": "API_KEY=\nDB_PASSWORD=changeme\nTOKEN=<your-token>\nSECRET=${SECRET}\nOTHER_KEY=your-api-key\n",
    "aws.md": (
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
    ),
    "settings.yaml": (
        "token: !vault secret/data/x\npassword: ${PASSWORD}\nclient_secret: '{{ client }}'\nsort_key: name\n"
    ),
    "nsswitch.conf": "passwd:         files systemd\nshadow:         files\n",
    "study.py": (
        'password = getpass.getpass("Password: ")\napi_key = os.environ["API_KEY"]\n'
        'token = os.getenv("API_TOKEN", "")\nsecret = config.get("secret")\nkey = hashlib.md5(data).hexdigest()\n'
        'tokenizer.pad_token = tokenizer.eos_token\npassword = password.encode("utf-8")\n'
        'url = f"postgresql://{user}:{password}@{host}/db"\nPASSWORD_FIELD = "user_password"\n'
    ),
    "README.md": (
        "Set `export API_TOKEN=<your token>`; `--password PASSWORD` asks for it.\n"
        "    postgresql://user:password@localhost/db\n    curl -H 'Authorization: Bearer $TOKEN' x\n"
        "[![codecov](https://codecov.io/gh/x/branch/main/graph/badge.svg?token=Xy1Z2ab3c4)](x)\n"
        f"sk-{'x' * 40}, ghp_{'x' * 36}\n"
    ),
    "vocab.json": (
        '{"token": 1, "##token": 2, "password": 3, "Ġsecret": 4,\n "pad_token": "[PAD]", "eos_token": "<|endoftext|>"}'
    ),
    "picture.ipynb": (
        '{"outputs": [{"data": {"image/png":\n "iVBORw0KGgoAAAANSUhEUgAAAh4AAAGdCAYAAABdD3qhAAAAOXRFWHRTb2Z0d2Fy"}}]}'
    ),
    "style.css": (
        ".password-key{color:#a1b2c3}\n.token.comment{background:url(data:image/png;base64,iVBORw0KGgoAAAANSUhEUg)}"
    ),
    "min.js": (
        "e.CancellationToken=e.CancellationTokenSource=e.Emitter9=e.Event8=void 0;\nvar r=e.key,o=t.token||n.password;"
    ),
    "manual.txt": 'The tool takes "password", "scram-sha-256" or "token", and passes "enable_bar,enable_baz" on.\n',
}


class Kind(NamedTuple):
    """A kind of secret of gitleaks: its name there, the rule here that finds it, and a shape or why there is none."""

    name: str
    rule: str
    shape: str


def read_gitleaks_kinds() -> list[Kind]:
    """Read the table of the kinds that gitleaks knows."""
    lines = (Path(__file__).parent / "gitleaks_kinds.tsv").read_text().splitlines()
    return [Kind(*line.split("\t")) for line in lines if not line.startswith("#")]
