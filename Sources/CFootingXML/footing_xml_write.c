#include "footing_xml_write.h"

#include <libxml/xmlwriter.h>
#include <stdlib.h>

struct footing_xml_writer {
	xmlBufferPtr buffer;
	xmlTextWriterPtr writer;
};

struct footing_xml_writer *footing_xml_writer_create(void)
{
	struct footing_xml_writer *self = calloc(1, sizeof(*self));
	if (!self)
		return NULL;
	self->buffer = xmlBufferCreate();
	if (self->buffer)
		self->writer = xmlNewTextWriterMemory(self->buffer, 0);
	if (!self->writer || xmlTextWriterSetIndent(self->writer, 1) < 0 ||
	    xmlTextWriterSetIndentString(self->writer, BAD_CAST "  ") < 0) {
		footing_xml_writer_destroy(self);
		return NULL;
	}
	return self;
}

void footing_xml_writer_destroy(struct footing_xml_writer *self)
{
	if (!self)
		return;
	/* The writer writes to the buffer once more, so it goes first. */
	if (self->writer)
		xmlFreeTextWriter(self->writer);
	if (self->buffer)
		xmlBufferFree(self->buffer);
	free(self);
}

static int status(int result)
{
	return result < 0 ? -1 : 0;
}

int footing_xml_writer_start(struct footing_xml_writer *self, const char *name)
{
	return status(xmlTextWriterStartElement(self->writer, BAD_CAST name));
}

int footing_xml_writer_attribute(struct footing_xml_writer *self, const char *name,
				 const char *value)
{
	return status(xmlTextWriterWriteAttribute(self->writer, BAD_CAST name, BAD_CAST value));
}

int footing_xml_writer_text(struct footing_xml_writer *self, const char *text)
{
	return status(xmlTextWriterWriteString(self->writer, BAD_CAST text));
}

int footing_xml_writer_end(struct footing_xml_writer *self)
{
	return status(xmlTextWriterEndElement(self->writer));
}

const char *footing_xml_writer_finish(struct footing_xml_writer *self, size_t *count)
{
	if (xmlTextWriterEndDocument(self->writer) < 0 || xmlTextWriterFlush(self->writer) < 0)
		return NULL;
	*count = (size_t)xmlBufferLength(self->buffer);
	return (const char *)xmlBufferContent(self->buffer);
}
