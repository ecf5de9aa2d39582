"""Redshift and Redshift Serverless: temporary users and passwords."""
from xml.sax.saxutils import escape

from awskit import Refused, Reply, Service, stamp, text_of, xml


class RedshiftBase(Service):
    """Temporary users and passwords. What is handed out goes to whoever sets `on_login`, too: the database."""

    def __init__(self, aws):
        super().__init__(aws)
        self.known = set()    # clusters or workgroups; empty: any
        self.domains = {}     # custom domain name -> which of them
        self.on_login = None  # on_login(user, password, epoch of the end)
        self.life_sec = None  # in place of what is asked for

    def hand_out(self, r, user, duration):
        if not str(duration).isdigit() or not 900 <= int(duration) <= 3600:
            raise Refused(400, "ValidationException", "duration %s" % duration)
        password, end = text_of(64), self.aws.now() + (self.life_sec or int(duration))
        if self.on_login:
            self.on_login(user, password, end)
        r.handed = (user, password)
        return password, end

    def named(self, name, domain):
        """Whichever of the two was given names one that is known; who gives both is refused."""
        if (name is None) == (domain is None):
            raise Refused(400, "InvalidParameterCombination", "one of name and custom domain name")
        name = name or self.domains.get(domain)
        return name is not None and (not self.known or name in self.known)

    @staticmethod
    def user_of(key):
        """The database user that belongs to an IAM identity."""
        kind, _, name = key.arn.rpartition(":")[2].partition("/")
        return "IAMR:" + name.split("/")[0] if kind == "assumed-role" else "IAM:" + name


class Redshift(RedshiftBase):
    """GetClusterCredentials and GetClusterCredentialsWithIAM."""
    name = "redshift"
    ACTIONS = ("GetClusterCredentials", "GetClusterCredentialsWithIAM")
    NAMESPACE = "http://redshift.amazonaws.com/doc/2012-12-01/"

    def wants(self, r):
        return r.method == "POST" and r.path == "/" and (r.form.get("Action") in self.ACTIONS
                                                         or r.scope_service() == "redshift")

    def error(self, r, e):
        return Reply('<ErrorResponse xmlns="%s">\n  <Error>\n    <Type>Sender</Type>\n    <Code>%s</Code>\n    <Message>%s'
                     '</Message>\n  </Error>\n  <RequestId>r-3</RequestId>\n</ErrorResponse>\n'
                     % (self.NAMESPACE, escape(e.code), escape(e.message)), e.status, "text/xml", e.headers)

    def answer(self, r):
        r.by = r.caller("redshift")
        action, form = r.form.get("Action"), r.form
        if action not in self.ACTIONS or form.get("Version") != "2012-12-01":
            raise Refused(400, "InvalidAction", "Could not find operation %s" % action)
        if not self.named(form.get("ClusterIdentifier"), form.get("CustomDomainName")):
            raise Refused(404, "ClusterNotFound", "Cluster %s not found." % form.get("ClusterIdentifier"))
        if action == "GetClusterCredentials":
            if not form.get("DbUser"):
                raise Refused(400, "MissingParameter", "DbUser")
            user = ("IAMA:" if form.get("AutoCreate") == "true" else "IAM:") + form["DbUser"]
        elif "DbUser" in form:
            raise Refused(400, "InvalidParameterCombination", "DbUser")
        else:
            user = self.user_of(r.by)
        password, end = self.hand_out(r, user, form.get("DurationSeconds", 900))
        result = {"DbUser": user, "DbPassword": password, "Expiration": stamp(end)[:-1] + ".123Z"}
        if action != "GetClusterCredentials":
            result["NextRefreshTime"] = stamp(end - 300)
        return Reply('<%sResponse xmlns="%s">\n  <%sResult>%s</%sResult>\n  <ResponseMetadata>\n    <RequestId>r-4</RequestId>'
                     '\n  </ResponseMetadata>\n</%sResponse>\n' % (action, self.NAMESPACE, action, xml(result), action, action),
                     content_type="text/xml")


class RedshiftServerless(RedshiftBase):
    """GetCredentials."""
    name = "redshift-serverless"

    def wants(self, r):
        return r.target_header.startswith("RedshiftServerless.")

    def error(self, r, e):
        return Reply({"__type": e.code, "message": e.message}, e.status, "application/x-amz-json-1.1", e.headers)

    def answer(self, r):
        asked = r.json_call("redshift-serverless", "RedshiftServerless.GetCredentials")
        if not self.named(asked.get("workgroupName"), asked.get("customDomainName")):
            raise Refused(400, "ResourceNotFoundException", "Resource not found")
        user = self.user_of(r.by)
        password, end = self.hand_out(r, user, asked.get("durationSeconds", 900))
        return Reply({"dbPassword": password, "dbUser": user, "expiration": end, "nextRefreshTime": end - 300},
                     content_type="application/x-amz-json-1.1")
