"""The Security Token Service."""
import string
from xml.sax.saxutils import escape

from awskit import ACCOUNT, Refused, Reply, Service, xml


class Sts(Service):
    """AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity; XML, or JSON if asked for."""
    name = "sts"
    ACTIONS = ("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity")

    def __init__(self, aws):
        super().__init__(aws)
        self.xml_only = False
        self.roles = {}          # ARN -> {"external_id": ..., "max_duration": ...}; empty: any role
        self.web_tokens = set()  # accepted; empty: any

    def wants(self, r):
        return r.method == "POST" and r.path == "/" and (r.form.get("Action") in self.ACTIONS
                                                         or r.scope_service() == "sts")

    def json_asked(self, r):
        return not self.xml_only and "application/json" in r.headers.get("accept", "")

    def reply(self, r, action, result):
        if self.json_asked(r):
            return Reply({action + "Response": {action + "Result": result, "ResponseMetadata": {"RequestId": "r-1"}}})
        return Reply('<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <%sResult>%s</%sResult>\n'
                     '  <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>\n</%sResponse>\n'
                     % (action, action, xml(result), action, action), content_type="text/xml")

    def error(self, r, e):
        if self.json_asked(r):
            return Reply({"Error": {"Type": "Sender", "Code": e.code, "Message": e.message}, "RequestId": "r-2"},
                         e.status, headers=e.headers)
        return Reply('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
                     '<Code>%s</Code><Message>%s</Message></Error><RequestId>r-2</RequestId></ErrorResponse>'
                     % (escape(e.code), escape(e.message)), e.status, "text/xml", e.headers)

    def answer(self, r):
        action, form = r.form.get("Action"), r.form
        if form.get("Version") != "2011-06-15":
            raise Refused(400, "MissingParameter", "Version")
        if action == "GetCallerIdentity":
            key = r.caller("sts")
            return self.reply(r, action, {"Arn": key.arn, "UserId": "AROAEXAMPLE:session", "Account": ACCOUNT})
        session = form.get("RoleSessionName", "")
        if not 2 <= len(session) <= 64 or not set(session) <= set(string.ascii_letters + string.digits + "_+=,.@-"):
            raise Refused(400, "ValidationError", "RoleSessionName %r" % session)
        if action == "AssumeRole":
            r.caller("sts")
        elif not form.get("WebIdentityToken") or "authorization" in r.headers:
            raise Refused(400, "MissingParameter", "WebIdentityToken, unsigned")
        elif self.web_tokens and form["WebIdentityToken"] not in self.web_tokens:
            raise Refused(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account")
        arn = form.get("RoleArn", "")
        role = self.roles.get(arn, None if self.roles else {})
        if role is None or role.get("external_id") != form.get("ExternalId"):
            raise Refused(403, "AccessDenied", "Not authorized to perform sts:%s on resource: %s" % (action, arn))
        duration = int(form.get("DurationSeconds", 3600))
        if not 900 <= duration <= role.get("max_duration", 43200):
            raise Refused(400, "ValidationError",
                          "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        assumed = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/" + session
        key = self.aws.issue(assumed, duration)
        expires = key.expires if self.json_asked(r) else key.expiration()
        return self.reply(r, action, {
            "AssumedRoleUser": {"Arn": assumed, "AssumedRoleId": "AROAEXAMPLE:" + session},
            "Credentials": {"AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "SessionToken": key.token,
                            "Expiration": expires}})
