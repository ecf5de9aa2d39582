"""Where a machine or a container finds its credentials."""
from awskit import ACCOUNT, Refused, Reply, Service, stamp, text_of


class Imds(Service):
    """The instance metadata service, version 2; 401 to version 1."""
    name = "imds"
    ROLE = "instance-role"

    def __init__(self, aws):
        super().__init__(aws)
        self.tokens, self.key, self.life_sec = {}, None, 21600
        self.code = "Success"
        self.frozen = False  # an outage of what stands behind: the old credentials again and again

    def wants(self, r):
        return r.path.startswith("/latest/")

    def error(self, r, e):
        return Reply("<html>%s</html>" % e.message, e.status, "text/html", e.headers)

    def answer(self, r):
        if "x-forwarded-for" in r.headers:
            raise Refused(403, "Forbidden", "X-Forwarded-For")
        if r.path == "/latest/api/token":
            ttl = r.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if r.method != "PUT" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                raise Refused(400, "BadRequest", "token")
            token = text_of(56)
            self.tokens[token] = self.aws.now() + int(ttl)
            return Reply(token, content_type="text/plain")
        if self.tokens.get(r.headers.get("x-aws-ec2-metadata-token"), 0) <= self.aws.now():
            raise Refused(401, "Unauthorized", "Unauthorized")
        if r.path == "/latest/meta-data/placement/region":
            return Reply(self.aws.region, content_type="text/plain")
        base = "/latest/meta-data/iam/security-credentials/"
        if r.path == base:
            return Reply(self.ROLE + "\n", content_type="text/plain")
        if r.path != base + self.ROLE:
            raise Refused(404, "NotFound", "Not Found")
        if self.code != "Success":
            return Reply({"Code": self.code, "Message": "the instance's role cannot be assumed"}, content_type="text/plain")
        if self.key is None or (not self.frozen and self.key.expires - self.aws.now() < self.life_sec / 2):
            self.key = self.aws.issue("arn:aws:sts::%s:assumed-role/%s/i-0" % (ACCOUNT, self.ROLE), self.life_sec)
        k = self.key
        return Reply({"Code": "Success", "LastUpdated": stamp(self.aws.now()), "Type": "AWS-HMAC", "AccessKeyId": k.key_id,
                      "SecretAccessKey": k.secret, "Token": k.token, "Expiration": k.expiration()}, content_type="text/plain")


class Container(Service):
    """The endpoint of ECS and of EKS Pod Identity: GET /v2/credentials/..., /v1/credentials."""
    name = "container"

    def __init__(self, aws):
        super().__init__(aws)
        self.authorization = {None}  # what it takes; None: no such header
        self.life_sec = 3600

    def wants(self, r):
        return r.path.startswith(("/v1/credentials", "/v2/credentials"))

    def answer(self, r):
        if r.method != "GET" or "application/json" not in r.headers.get("accept", "application/json"):
            raise Refused(400, "BadRequest", "GET, and JSON")
        if r.headers.get("authorization") not in self.authorization:
            raise Refused(401, "AccessDenied", "wrong Authorization")
        k = self.aws.issue("arn:aws:sts::%s:assumed-role/task-role/task" % ACCOUNT, self.life_sec)
        return Reply({"AccessKeyId": k.key_id, "SecretAccessKey": k.secret, "Token": k.token,
                      "Expiration": k.expiration(), "RoleArn": "arn:aws:iam::%s:role/task-role" % ACCOUNT,
                      "AccountId": ACCOUNT})
