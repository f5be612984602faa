/* libyaml (Debian: libyaml-dev), which reads Kubernetes' manifests. */
#include <yaml.h>
