"""pgiam beside botocore, where some python3 of this machine has it: in the same environment, with the same files and the same
AWS, both find the same credentials and ask the same for them. Needs neither PostgreSQL nor root."""
import http.client

import pytest

from beside import MISSING, ROLE, Beside, python
from home import SESSION

BASE = "[base]\naws_access_key_id = {base.key_id}\naws_secret_access_key = {base.secret}\n"
KEYS_OF = {"AWS_ACCESS_KEY_ID": "{user.key_id}", "AWS_SECRET_ACCESS_KEY": "{user.secret}"}
DEFAULT = BASE.replace("base]", "default]").replace("{base", "{user")
OF_ROLE = "[profile p]\nrole_arn = %sa\n" % ROLE
OF_BASE = OF_ROLE + "source_profile = base\n"
OF_SSO = "sso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Read Only\n"
P, NO_REGION, NO_URL = {"AWS_PROFILE": "p"}, {"AWS_REGION": None}, {"AWS_ENDPOINT_URL": None}
POD = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/.aws/token", "AWS_ROLE_ARN": ROLE + "irsa"}
TASK = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws.url}/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/.aws/pod"}
INSTANCE = {"AWS_EC2_METADATA_DISABLED": "false"}
PROGRAM = "credential_process = '{home}/a program' 'x y'\n"

# name: (environment, config, credentials, profile named outside of the environment). Both find the same, or nothing, by asking
# AWS the same in the same order.
ALIKE = {
    "nothing": ({}, "", ""),
    "environment": (KEYS_OF, "", ""),
    "environment with a session": ({**KEYS_OF, "AWS_SESSION_TOKEN": "t+/=", "AWS_SECURITY_TOKEN": ""}, "", ""),
    "environment with an old session": ({**KEYS_OF, "AWS_SECURITY_TOKEN": "t"}, "", ""),
    "environment before AWS_PROFILE": ({**KEYS_OF, "AWS_PROFILE": "base"}, "", BASE),
    "environment behind a named profile": (KEYS_OF, "", BASE, "base"),
    "half an environment": ({"AWS_ACCESS_KEY_ID": "A"}, "", DEFAULT),
    "empty environment": (dict.fromkeys(KEYS_OF, ""), "", DEFAULT),
    "AWS_DEFAULT_PROFILE": ({"AWS_DEFAULT_PROFILE": "base"}, "", DEFAULT + BASE),
    "no such profile": (P, "", DEFAULT),
    "pod": (POD, "", ""),
    "pod before keys of a profile": (POD, "", DEFAULT),
    "pod, its session named": ({**POD, "AWS_ROLE_SESSION_NAME": "me@host"}, "", ""),
    "pod without a role": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/.aws/token"}, "", DEFAULT),
    "role without a pod": ({"AWS_ROLE_ARN": ROLE + "irsa"}, "", DEFAULT),
    "pod of a profile": (P, OF_ROLE + "web_identity_token_file = {home}/.aws/token\nrole_session_name = me\n", ""),
    "role": (P, OF_BASE.replace("role/a", "role/e") + "external_id = e/1\nrole_session_name = me\nduration_seconds = 900\n", BASE),
    "role in the environment's region": (P, OF_BASE + "region = eu-west-1\n", BASE),
    "role in the profile's region": ({**P, **NO_REGION}, OF_BASE + "region = us-east-1\n", BASE),
    "role of a role": ({**P, **NO_REGION}, OF_ROLE + "source_profile = q\nregion = us-east-1\n[profile q]\nrole_arn = " + ROLE +
                       "b\nsource_profile = base\nregion = eu-west-1\n", BASE),
    "role of its own keys": ({"AWS_PROFILE": "base"}, "[profile base]\nrole_arn = %sa\nsource_profile = base\n" % ROLE, BASE),
    "role of keys that have a role": (P, OF_BASE + "[profile base]\nrole_arn = %sb\nsource_profile = base\n" % ROLE, BASE),
    "role of itself": (P, OF_ROLE + "source_profile = p\n", BASE),
    "role of a role of it": (P, OF_ROLE + "source_profile = q\n[profile q]\nrole_arn = r\nsource_profile = p\n", ""),
    "role of nobody": (P, OF_ROLE, BASE),
    "role of keys beside it": ({"AWS_PROFILE": "base"}, "[profile base]\nrole_arn = %sa\n" % ROLE, BASE),
    "role of two": (P, OF_BASE + "credential_source = Environment\n", BASE),
    "role of a profile that is not there": (P, OF_BASE, ""),
    "role of the environment": (KEYS_OF, OF_ROLE + "credential_source = Environment\n", "", "p"),
    "role of the container": ({**P, **TASK}, OF_ROLE + "credential_source = EcsContainer\n", ""),
    "role of the instance": ({**P, **INSTANCE}, OF_ROLE + "credential_source = Ec2InstanceMetadata\n", ""),
    "role of something else": (P, OF_ROLE + "credential_source = Nowhere\n", ""),
    "role of a program": (P, OF_ROLE + "source_profile = q\n[profile q]\n" + PROGRAM, ""),
    "role of IAM Identity Center": (P, OF_ROLE + "source_profile = q\n[profile q]\n" + OF_SSO + SESSION, ""),
    "program": ({}, "[default]\n" + PROGRAM, ""),
    "program in the credentials": ({}, "", "[default]\n" + PROGRAM),
    "program behind keys": ({}, "[default]\n" + PROGRAM, DEFAULT),
    "program that fails": (TASK, "[default]\ncredential_process = false\n", ""),
    "IAM Identity Center": ({}, "[default]\n" + OF_SSO + SESSION, ""),
    "IAM Identity Center before keys": ({}, "[default]\n" + PROGRAM + OF_SSO + SESSION, DEFAULT),
    "IAM Identity Center without a session": ({}, "[default]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = us-east-1\n"
                                              "sso_account_id = 1\nsso_role_name = r\n", ""),
    "IAM Identity Center, two regions": ({}, "[default]\nsso_region = eu-west-1\n" + OF_SSO + SESSION, ""),
    "IAM Identity Center, no account": ({}, "[default]\nsso_session = corp\nsso_role_name = r\n" + SESSION, ""),
    "IAM Identity Center, no session": ({}, "[default]\n" + OF_SSO, ""),
    "container": (TASK, "", ""),
    "container behind a profile": (TASK, "", DEFAULT),
    "container before the instance": ({**TASK, **INSTANCE}, "", ""),
    "container of somebody else": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23.example.com/v1/credentials"}, "", ""),
    "container with a bad token": ({**TASK, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": None,
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nb: c"}, "", ""),
    "instance": (INSTANCE, "", ""),
    "instance, as the profile says": ({**INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT": None},
                                      "[default]\nec2_metadata_service_endpoint = {aws.url}\n", ""),
    "instance forbidden": ({"AWS_EC2_METADATA_DISABLED": "TRUE"}, "", ""),
    "files in the home directory": ({"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": None}, "", DEFAULT),
    "services of the profile": ({**P, **NO_URL}, OF_BASE + "services = s\nendpoint_url = https://127.0.0.1:1\n[services s]\nsts =\n"
                                "  endpoint_url = {aws.tls_url}\n", BASE),
    "place of the profile": ({**P, **NO_URL}, OF_BASE + "endpoint_url = {aws.tls_url}\n", BASE),
    "place of the environment": (P, OF_BASE + "services = s\n[services s]\nsts =\n  endpoint_url = https://127.0.0.1:1\n", BASE),
    "place of STS": ({**P, "AWS_ENDPOINT_URL": "https://127.0.0.1:1", "AWS_ENDPOINT_URL_STS": "{aws.tls_url}"}, OF_BASE, BASE),
    "no such services": ({**P, **NO_URL}, OF_BASE + "services = s\nendpoint_url = {aws.tls_url}\n", BASE),
    "no such services, and keys of the environment": ({**KEYS_OF, **P, **NO_URL}, "[profile p]\nservices = s\n"
                                                      "endpoint_url = {aws.tls_url}\n", ""),
    "no such services, and a variable": ({**KEYS_OF, **P}, "[profile p]\nservices = s\n", ""),
    "trust of the profile": ({**P, "AWS_CA_BUNDLE": None}, OF_BASE + "ca_bundle = {aws.ca_path}\n", BASE),
}

# The same with what pgiam finds (whose they are, or what it says); why it differs stands behind each.
NOT_ALIKE = {
    # Who set one of two variables meant them: another identity by accident is worse than an error.
    "half an environment": ({"AWS_SECRET_ACCESS_KEY": "s"}, "", DEFAULT, None, "AWS_ACCESS_KEY_ID is not"),
    # Nobody asks for the profile.
    "environment, no such profile": ({**KEYS_OF, **P}, "", "", None, "user/tester"),
    # All SDKs but botocore have AWS_PROFILE only.
    "two profiles": ({"AWS_PROFILE": "default", "AWS_DEFAULT_PROFILE": "base"}, "", DEFAULT + BASE, None, "user/tester"),
    # On EKS the pod's role is meant; botocore has the roles of profiles before it, and their keys behind it.
    "pod before a role": ({**POD}, "[default]\nrole_arn = %sa\nsource_profile = base\n" % ROLE, BASE, None, "role/irsa"),
    # botocore has keys before a program in one of the two files and behind it in the other.
    "program behind keys": ({}, "[default]\n" + PROGRAM + DEFAULT.partition("\n")[2], "", None, "user/tester"),
    # The guide has ~ only in a path.
    "variable in a path": ({"AWS_SHARED_CREDENTIALS_FILE": "$HOME/.aws/credentials"}, "", DEFAULT, None, "no AWS credentials found"),
    # pgiam knows where the database is, and asks there.
    "role in no region": ({**P, **NO_REGION}, OF_BASE + "[profile base]\nregion = us-east-1\n", BASE, None, "role/a"),
    # AWS_CA_BUNDLE is for https wherever it leads.
    "container over TLS": ({**TASK, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{aws.tls_url}/v1/credentials"}, "", "", None,
                           "role/task-role"),
}


@pytest.fixture(scope="module")
def beside(tmp_path_factory, aws_server, authority):
    if python() is None:
        pytest.skip(MISSING)
    one = Beside(str(tmp_path_factory.mktemp("beside") / "home"), aws_server, authority.path)
    yield one
    one.close()
    aws_server.reset()


@pytest.mark.parametrize("name", ALIKE)
def test_found(beside, name):
    (ours, asked, said), (theirs, theirs_asked) = beside.both(*ALIKE[name])
    assert ours == theirs, said
    assert asked == theirs_asked


@pytest.mark.parametrize("name", NOT_ALIKE)
def test_found_otherwise(beside, name):
    """Should botocore come to find it so, it belongs above."""
    *case, wanted = NOT_ALIKE[name]
    (ours, asked, said), (theirs, theirs_asked) = beside.both(*case)
    assert wanted in ours[0] or (ours == ["nobody"] and wanted in said)
    assert (ours, asked) != (theirs, theirs_asked)


def test_who_closes_says_so(aws_server):
    """The stand-in for AWS closes after each answer. Where it does not say so, botocore may send its next request before it sees
    the end, and asks an instance's metadata once only."""
    there = http.client.HTTPConnection("127.0.0.1", aws_server.port, timeout=30)
    there.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    assert there.getresponse().getheader("Connection") == "close"
    there.close()
