"""Secrets Manager."""
import base64
import json
import string

from awskit import ACCOUNT, Refused, Reply, Service, text_of


class SecretsManager(Service):
    """GetSecretValue of Secrets Manager. A secret is versions and the stages that name them."""
    name = "secretsmanager"

    def __init__(self, aws):
        super().__init__(aws)
        self.secrets = {}  # name -> {"versions": {id: str or bytes}, "stages": {label: id}}

    def put(self, name, value, stage="AWSCURRENT"):
        """Another version: of text, of bytes (SecretBinary), or of a dict as JSON. What was current is previous then."""
        one = self.secrets.setdefault(name, {"versions": {}, "stages": {}})
        version = "%s-version-%024d" % (text_of(4, string.ascii_lowercase), len(one["versions"]) + 1)
        one["versions"][version] = json.dumps(value) if isinstance(value, dict) else value
        if stage == "AWSCURRENT" and stage in one["stages"]:
            one["stages"]["AWSPREVIOUS"] = one["stages"][stage]
        one["stages"][stage] = version
        return version

    def finish(self, name):
        """The last step of a rotation: what is pending becomes current."""
        stages = self.secrets[name]["stages"]
        stages["AWSPREVIOUS"], stages["AWSCURRENT"] = stages["AWSCURRENT"], stages["AWSPENDING"]

    def arn(self, name):
        return "arn:aws:secretsmanager:%s:%s:secret:%s-AbCdEf" % (self.aws.region, ACCOUNT, name)

    def wants(self, r):
        return r.target_header.startswith("secretsmanager.")

    def error(self, r, e):
        return Reply({"__type": e.code, "Message": e.message}, e.status, "application/x-amz-json-1.1", e.headers)

    def answer(self, r):
        asked = r.json_call("secretsmanager", "secretsmanager.GetSecretValue")
        name = next((n for n in self.secrets if asked.get("SecretId") in (n, self.arn(n))), None)
        if name is None:
            raise Refused(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        stage = asked.get("VersionStage", "AWSCURRENT")
        version = self.secrets[name]["stages"].get(stage)
        if version is None:
            raise Refused(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for "
                          "staging label: %s" % stage)
        value = self.secrets[name]["versions"][version]
        what = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": base64.b64encode(value).decode()}
        return Reply(dict({"ARN": self.arn(name), "Name": name, "VersionId": version, "VersionStages": [stage],
                           "CreatedDate": self.aws.now()}, **what), content_type="application/x-amz-json-1.1")
