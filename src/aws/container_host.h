/* Which hosts may be asked for a container's credentials. Over https all, because then the host has to prove
 * its name; in the clear only those on this machine or its link: loopback, ECS's 169.254.170.2, EKS's
 * 169.254.170.23 and fd00:ec2::23. The same rule for the URL as it is written and for the address that is
 * connected to. Pure. Spec: SDK reference guide, "Container credential provider". */
#ifndef PGIAM_AWS_CONTAINER_HOST_H
#define PGIAM_AWS_CONTAINER_HOST_H

#include "aws/url.h"

struct sockaddr;

bool container_host_url_ok(const struct url *u);
bool container_host_addr_ok(const struct sockaddr *to);

#endif
