/* libxml2 (Debian: libxml2-dev), which reads the XML of libvirt's domains. */
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
