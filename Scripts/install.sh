#!/usr/bin/env bash
# Installs bin/footing, its neighbours and their completions below a prefix; or, with
# --plugin, the plugin to the folder where nbdkit looks for it, below a folder that stands for the root.
set -euo pipefail

if [[ ${1:-} == --plugin ]]; then
    folder=$(nbdkit --dump-config | sed -n 's/^plugindir=//p')
    plugin=${2:-}${folder:?nbdkit does not tell its folder of plugins}/nbdkit-footing-plugin.so
    install -D -m 755 bin/nbdkit-footing-plugin.so "$plugin"
    echo "Installed $plugin: 'nbdkit footing DISK' serves a disk."
    exit 0
fi

prefix=${1:?usage: install.sh PREFIX}

# completion SHELL PATH [PROGRAM]
completion() {
    install -d "$(dirname "$prefix/share/$2")"
    "bin/${3:-footing}" completions "$1" >"$prefix/share/$2"
    chmod 644 "$prefix/share/$2"
}

install -D -m 755 bin/footing "$prefix/bin/footing"
# Beside it: that is where it is looked for.
install -D -m 755 bin/footing-dynamic "$prefix/bin/footing-dynamic"
install -D -m 755 bin/footing-kubevirt "$prefix/bin/footing-kubevirt"
completion bash bash-completion/completions/footing
completion zsh zsh/site-functions/_footing
completion fish fish/vendor_completions.d/footing.fish
completion bash bash-completion/completions/footing-kubevirt footing-kubevirt
completion zsh zsh/site-functions/_footing-kubevirt footing-kubevirt
completion fish fish/vendor_completions.d/footing-kubevirt.fish footing-kubevirt
echo "Installed $prefix/bin/footing, its twin, footing-kubevirt and the completions for bash, zsh and fish."
