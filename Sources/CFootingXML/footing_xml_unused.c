/* What libxml2 asks of ICU and liblzma, and never needs here: other encodings than UTF-8, and files
 * that are compressed. Defined here, so that the 30 MB of ICU's tables are not linked into the
 * static program. ICU has a number of its version in its names: its header adds the same.
 *
 * A libxml2 without ICU, such as that of Debian 13, needs none of the first half. */
#include <stddef.h>
#include <libxml/encoding.h>

#ifdef LIBXML_ICU_ENABLED
#include <unicode/ucnv.h>

UConverter *ucnv_open(const char *name, UErrorCode *error)
{
	(void)name;
	*error = U_FILE_ACCESS_ERROR;
	return NULL;
}

void ucnv_close(UConverter *converter)
{
	(void)converter;
}

void ucnv_setFromUCallBack(UConverter *converter, UConverterFromUCallback action,
			   const void *context, UConverterFromUCallback *old_action,
			   const void **old_context, UErrorCode *error)
{
	(void)converter;
	(void)action;
	(void)context;
	(void)old_action;
	(void)old_context;
	*error = U_UNSUPPORTED_ERROR;
}

void ucnv_setToUCallBack(UConverter *converter, UConverterToUCallback action, const void *context,
			 UConverterToUCallback *old_action, const void **old_context,
			 UErrorCode *error)
{
	(void)converter;
	(void)action;
	(void)context;
	(void)old_action;
	(void)old_context;
	*error = U_UNSUPPORTED_ERROR;
}

void ucnv_convertEx(UConverter *to, UConverter *from, char **target, const char *target_limit,
		    const char **source, const char *source_limit, UChar *pivot_start,
		    UChar **pivot_source, UChar **pivot_target, const UChar *pivot_limit,
		    UBool reset, UBool flush, UErrorCode *error)
{
	(void)to, (void)from, (void)target, (void)target_limit, (void)source, (void)source_limit;
	(void)pivot_start, (void)pivot_source, (void)pivot_target, (void)pivot_limit;
	(void)reset, (void)flush;
	*error = U_UNSUPPORTED_ERROR;
}

void UCNV_FROM_U_CALLBACK_STOP(const void *context, UConverterFromUnicodeArgs *arguments,
			       const UChar *units, int32_t length, UChar32 scalar,
			       UConverterCallbackReason reason, UErrorCode *error)
{
	(void)context, (void)arguments, (void)units, (void)length, (void)scalar, (void)reason;
	(void)error;
}

void UCNV_TO_U_CALLBACK_STOP(const void *context, UConverterToUnicodeArgs *arguments,
			     const char *units, int32_t length, UConverterCallbackReason reason,
			     UErrorCode *error)
{
	(void)context, (void)arguments, (void)units, (void)length, (void)reason, (void)error;
}
#endif

/* liblzma's LZMA_OPTIONS_ERROR: no such decoder. */
enum { NO_DECODER = 8 };

int lzma_auto_decoder(void *stream, unsigned long long memory_max, unsigned int flags)
{
	(void)stream;
	(void)memory_max;
	(void)flags;
	return NO_DECODER;
}

int lzma_code(void *stream, int action)
{
	(void)stream;
	(void)action;
	return NO_DECODER;
}

void lzma_end(void *stream)
{
	(void)stream;
}

int lzma_properties_decode(void *filter, const void *allocator, const unsigned char *properties,
			   size_t count)
{
	(void)filter;
	(void)allocator;
	(void)properties;
	(void)count;
	return NO_DECODER;
}
