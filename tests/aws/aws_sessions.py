"""What somebody began in a browser: IAM Identity Center, `aws login`."""
import json

import dpop
from awskit import ACCOUNT, Refused, Reply, Service, text_of


class Portal(Service):
    """IAM Identity Center's portal: a role's credentials for a token somebody got in a browser."""
    name = "sso"

    def __init__(self, aws):
        super().__init__(aws)
        self.tokens = set()      # accepted
        self.assignments = set()  # (account, role) that may be had; empty: any

    def wants(self, r):
        return r.path == "/federation/credentials"

    def answer(self, r):
        if r.method != "GET" or "authorization" in r.headers:
            raise Refused(400, "InvalidRequestException", "GET, unsigned")
        if r.headers.get("x-amz-sso_bearer_token") not in self.tokens:
            raise Refused(401, "UnauthorizedException", "Session token not found or invalid")
        account, role = r.query["account_id"][0], r.query["role_name"][0]
        if self.assignments and (account, role) not in self.assignments:
            raise Refused(403, "ForbiddenException", "No access")
        k = self.aws.issue("arn:aws:sts::%s:assumed-role/AWSReservedSSO_%s/me" % (account, role), 3600)
        return Reply({"roleCredentials": {"accessKeyId": k.key_id, "secretAccessKey": k.secret, "sessionToken": k.token,
                                          "expiration": int(k.expires * 1000)}})


class Oidc(Service):
    """CreateToken of IAM Identity Center's OIDC service: a refresh token, used once, for an access token."""
    name = "oidc"

    def __init__(self, aws):
        super().__init__(aws)
        self.refresh = {}  # refresh token -> (client id, client secret)
        self.life_sec = 3600

    def wants(self, r):
        return r.path == "/token"

    def error(self, r, e):
        return Reply({"error": e.code, "error_description": e.message}, e.status, headers=e.headers)

    def answer(self, r):
        asked = json.loads(r.body)
        client = self.refresh.pop(asked.get("refreshToken"), None)
        if r.method != "POST" or asked.get("grantType") != "refresh_token":
            raise Refused(400, "unsupported_grant_type", "refresh_token only")
        if client is None or client != (asked.get("clientId"), asked.get("clientSecret")):
            raise Refused(400, "invalid_grant", "Invalid refresh token provided")
        access, refresh = "aoa" + text_of(60), "aor" + text_of(60)
        self.refresh[refresh] = client
        self.aws.sso.tokens.add(access)
        return Reply({"accessToken": access, "expiresIn": self.life_sec, "refreshToken": refresh, "tokenType": "Bearer"})


class Signin(Service):
    """The sign-in service's CreateOAuth2Token, for `aws login`: a refresh token for credentials and a new refresh token,
    with a proof that whoever asks holds the key it was given to. The old one goes on being good, as documented."""
    name = "signin"
    CLIENT = "arn:aws:signin:::devtools/same-device"

    def __init__(self, aws):
        super().__init__(aws)
        self.refresh = {}   # refresh token -> thumbprint of its key
        self.seen = set()   # numbers of proofs
        self.code = None    # TOKEN_EXPIRED, USER_CREDENTIALS_CHANGED, INSUFFICIENT_PERMISSIONS: the answer to everybody
        self.life_sec = 900

    def wants(self, r):
        return r.path == "/v1/token"

    def error(self, request, e):
        return Reply({"error": e.code, "message": e.message}, e.status, headers=e.headers)

    def answer(self, r):
        if r.method != "POST" or "authorization" in r.headers or r.headers.get("content-type") != "application/json":
            raise Refused(400, "INVALID_REQUEST", "POST of JSON, unsigned")
        asked = json.loads(r.body)
        url = "%s://%s%s" % ("https" if r.tls else "http", r.headers["host"], r.path)
        try:
            key, number = dpop.verify(r.headers.get("dpop", ""), "POST", url, self.aws.now())
        except ValueError as e:
            raise Refused(400, "INVALID_REQUEST", "DPoP: %s" % e) from None
        if number in self.seen or asked.get("clientId") != self.CLIENT or asked.get("grantType") != "refresh_token":
            raise Refused(400, "INVALID_REQUEST", "a number used twice, or not a client's refresh")
        self.seen.add(number)
        if self.code:
            raise Refused(403 if self.code in ("USER_CREDENTIALS_CHANGED", "INSUFFICIENT_PERMISSIONS") else 401, self.code, "no")
        if self.refresh.get(asked.get("refreshToken")) != key:
            raise Refused(401, "TOKEN_EXPIRED", "no such refresh token, or another's")
        token = "rt" + text_of(60)
        self.refresh[token] = key
        k = self.aws.issue("arn:aws:iam::%s:user/me" % ACCOUNT, self.life_sec)
        return Reply({"accessToken": {"accessKeyId": k.key_id, "secretAccessKey": k.secret, "sessionToken": k.token},
                      "tokenType": "aws_sigv4", "expiresIn": self.life_sec, "refreshToken": token})
