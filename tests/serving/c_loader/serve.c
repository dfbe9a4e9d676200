/* Answers serialized PredictRequests from a SavedModel, without Python.
 *
 *   serve FOLDER
 *
 * Requests come on the standard input, each behind its length (uint32, of this
 * machine's byte order). Answers go to the standard output: the length of what
 * follows, a status (uint32; 0 is OK, else a code of TF_Code), and either a
 * serialized PredictResponse or a message. As TensorFlow Serving does, a
 * request must name the inputs of its signature, no more and no fewer.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

#define MOST_TENSORS 32
#define MOST_DIMS 8
#define MOST_ELEMENTS (1LL << 28)

/* --- Reading protocol buffers ------------------------------------------- */

typedef struct {
  const uint8_t* at;
  const uint8_t* end;
} Bytes;

typedef struct {
  uint32_t number;
  uint32_t wire;
  uint64_t value; /* wire types 0, 1 and 5 */
  Bytes bytes;    /* wire type 2 */
} Field;

static int read_varint(Bytes* in, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && in->at < in->end; shift += 7) {
    const uint8_t byte = *in->at++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return 1;
  }
  return 0;
}

/* 1: a field was read; 0: the end; -1: no protocol buffer. */
static int next_field(Bytes* in, Field* field) {
  if (in->at == in->end) return 0;
  uint64_t tag, length;
  if (!read_varint(in, &tag)) return -1;
  field->number = (uint32_t)(tag >> 3);
  field->wire = tag & 7;
  if (field->wire == 0) return read_varint(in, &field->value) ? 1 : -1;
  if (field->wire == 2) {
    if (!read_varint(in, &length)) return -1;
    if (length > (uint64_t)(in->end - in->at)) return -1;
    field->bytes.at = in->at;
    field->bytes.end = in->at += length;
    return 1;
  }
  const size_t width = field->wire == 1 ? 8 : field->wire == 5 ? 4 : 0;
  if (width == 0 || width > (size_t)(in->end - in->at)) return -1;
  field->value = 0;
  memcpy(&field->value, in->at, width);
  in->at += width;
  return 1;
}

/* Key (field 1) and value (field 2) of an entry of a map. */
static int read_entry(Bytes entry, Bytes* key, Bytes* value) {
  Field field;
  int more;
  *key = *value = (Bytes){entry.end, entry.end};
  while ((more = next_field(&entry, &field)) > 0) {
    if (field.wire != 2) continue;
    if (field.number == 1) *key = field.bytes;
    if (field.number == 2) *value = field.bytes;
  }
  return more == 0;
}

static int same(Bytes a, Bytes b) {
  const size_t length = a.end - a.at;
  return length == (size_t)(b.end - b.at) && memcmp(a.at, b.at, length) == 0;
}

/* --- Signatures ---------------------------------------------------------- */

typedef struct {
  Bytes key;
  TF_Output output;
} Port;

typedef struct {
  Port inputs[MOST_TENSORS], outputs[MOST_TENSORS];
  int num_inputs, num_outputs;
} Signature;

static void die(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static Port read_port(TF_Graph* graph, Bytes entry) {
  Port port;
  Bytes info;
  Field field;
  char name[512];
  name[0] = '\0';
  if (!read_entry(entry, &port.key, &info)) die("bad signature");
  while (next_field(&info, &field) > 0) {
    const size_t length = field.bytes.end - field.bytes.at;
    if (field.number != 1 || field.wire != 2) continue;
    if (length >= sizeof(name)) die("long name");
    memcpy(name, field.bytes.at, length);
    name[length] = '\0';
  }
  char* colon = strrchr(name, ':');
  port.output.index = 0;
  if (colon != NULL) {
    *colon = '\0';
    port.output.index = atoi(colon + 1);
  }
  port.output.oper = TF_GraphOperationByName(graph, name);
  if (port.output.oper == NULL) die("no such operation");
  return port;
}

/* Finds a signature in the MetaGraphDef; 0 if there is none of the name. */
static int find_signature(TF_Graph* graph, Bytes meta, Bytes wanted,
                          Signature* found) {
  Field field, inner;
  Bytes name, definition;
  while (next_field(&meta, &field) > 0) {
    if (field.number != 5 || field.wire != 2) continue;
    if (!read_entry(field.bytes, &name, &definition)) die("bad signature");
    if (!same(name, wanted)) continue;
    found->num_inputs = found->num_outputs = 0;
    while (next_field(&definition, &inner) > 0) {
      const int is_input = inner.number == 1;
      int* count = is_input ? &found->num_inputs : &found->num_outputs;
      Port* ports = is_input ? found->inputs : found->outputs;
      if (inner.wire != 2 || inner.number > 2) continue;
      if (*count == MOST_TENSORS) die("too many tensors");
      ports[(*count)++] = read_port(graph, inner.bytes);
    }
    return 1;
  }
  return 0;
}

/* --- Tensors from and to TensorProto ------------------------------------- */

static size_t width_of(uint64_t type) {
  switch (type) {
    case TF_FLOAT:
    case TF_INT32:
      return 4;
    case TF_DOUBLE:
    case TF_INT64:
      return 8;
    case TF_BOOL:
    case TF_INT8:
    case TF_UINT8:
      return 1;
    case TF_STRING:
      return sizeof(TF_TString);
  }
  return 0;
}

static void free_tensor(TF_Tensor* tensor) {
  if (tensor == NULL) return;
  if (TF_TensorType(tensor) == TF_STRING) {
    TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); ++i)
      TF_TString_Dealloc(&strings[i]);
  }
  TF_DeleteTensor(tensor);
}

/* Puts one element of a repeated field, or all of a packed one, in place. */
static int put_values(Field field, uint64_t type, uint8_t* data, int64_t most,
                      int64_t* count) {
  const size_t width = width_of(type);
  Bytes packed = field.bytes;
  for (;;) {
    uint64_t value = field.value;
    if (field.wire == 2) {
      if (packed.at == packed.end) return 1;
      if (type == TF_FLOAT || type == TF_DOUBLE) {
        if ((size_t)(packed.end - packed.at) < width) return 0;
        memcpy(&value, packed.at, width);
        packed.at += width;
      } else if (!read_varint(&packed, &value)) {
        return 0;
      }
    }
    if (*count == most) return 0;
    memcpy(data + width * (*count)++, &value, width);
    if (field.wire != 2) return 1;
  }
}

/* NULL, and what is wrong, for what is no tensor. */
static TF_Tensor* read_tensor(Bytes proto, const char** wrong) {
  uint64_t type = 0;
  int64_t dims[MOST_DIMS], elements = 1;
  int rank = 0, more;
  Field field, inner, size;
  Bytes content = {NULL, NULL}, in = proto;
  *wrong = "no TensorProto";
  while ((more = next_field(&in, &field)) > 0) {
    if (field.number == 1 && field.wire == 0) type = field.value;
    if (field.number == 4 && field.wire == 2) content = field.bytes;
    if (field.number != 2 || field.wire != 2) continue;
    while ((more = next_field(&field.bytes, &inner)) > 0) {
      if (inner.number == 3) return NULL;
      if (inner.number != 2 || inner.wire != 2) continue;
      if (rank == MOST_DIMS) return NULL;
      dims[rank] = 0;
      while ((more = next_field(&inner.bytes, &size)) > 0)
        if (size.number == 1) dims[rank] = (int64_t)size.value;
      if (more < 0 || dims[rank] < 0 || dims[rank] > MOST_ELEMENTS) return NULL;
      elements *= dims[rank++];
      if (elements > MOST_ELEMENTS) return NULL;
    }
    if (more < 0) return NULL;
  }
  const size_t width = width_of(type);
  *wrong = "a type that no input has";
  if (more < 0 || width == 0) return NULL;
  *wrong = "content that does not fit the shape";
  if (content.at != NULL && content.at != content.end &&
      (type == TF_STRING ||
       (size_t)(content.end - content.at) != width * elements))
    return NULL;
  TF_Tensor* tensor = TF_AllocateTensor(type, dims, rank, width * elements);
  uint8_t* data = TF_TensorData(tensor);
  memset(data, 0, width * elements);
  if (content.at != NULL && content.at != content.end) {
    memcpy(data, content.at, width * elements);
    return tensor;
  }
  int64_t count = 0;
  in = proto;
  while (next_field(&in, &field) > 0) {
    if (field.number == 8 && type == TF_STRING && field.wire == 2) {
      TF_TString* string = (TF_TString*)data + count;
      if (count++ == elements) goto misfit;
      TF_TString_Copy(string, (const char*)field.bytes.at,
                      field.bytes.end - field.bytes.at);
    } else if (field.number >= 5 && field.number <= 11 && type != TF_STRING) {
      if (!put_values(field, type, data, elements, &count)) goto misfit;
    }
  }
  /* The last value stands for all that follow. */
  for (; count > 0 && count < elements; ++count) {
    if (type == TF_STRING) {
      TF_TString* strings = (TF_TString*)data;
      TF_TString_Copy(&strings[count],
                      TF_TString_GetDataPointer(&strings[count - 1]),
                      TF_TString_GetSize(&strings[count - 1]));
    } else {
      memcpy(data + width * count, data + width * (count - 1), width);
    }
  }
  return tensor;
misfit:
  free_tensor(tensor);
  return NULL;
}

typedef struct {
  uint8_t* data;
  size_t size, room;
} Buffer;

static void append(Buffer* out, const void* data, size_t size) {
  if (out->size + size > out->room) {
    out->room = 2 * (out->size + size);
    out->data = realloc(out->data, out->room);
    if (out->data == NULL) die("no memory");
  }
  if (size > 0) memcpy(out->data + out->size, data, size);
  out->size += size;
}

static void append_varint(Buffer* out, uint64_t value) {
  uint8_t byte;
  do {
    byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    append(out, &byte, 1);
  } while (value >>= 7);
}

static void append_bytes(Buffer* out, int number, const void* data,
                         size_t size) {
  append_varint(out, (uint64_t)number << 3 | 2);
  append_varint(out, size);
  append(out, data, size);
}

static void append_number(Buffer* out, int number, uint64_t value) {
  append_varint(out, (uint64_t)number << 3);
  append_varint(out, value);
}

static void append_tensor(Buffer* out, TF_Tensor* tensor) {
  Buffer shape = {0}, dim = {0};
  append_number(out, 1, TF_TensorType(tensor));
  for (int i = 0; i < TF_NumDims(tensor); ++i) {
    dim.size = 0;
    append_number(&dim, 1, (uint64_t)TF_Dim(tensor, i));
    append_bytes(&shape, 2, dim.data, dim.size);
  }
  append_bytes(out, 2, shape.data, shape.size);
  if (TF_TensorType(tensor) == TF_STRING) {
    const TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); ++i)
      append_bytes(out, 8, TF_TString_GetDataPointer(&strings[i]),
                   TF_TString_GetSize(&strings[i]));
  } else {
    append_bytes(out, 4, TF_TensorData(tensor), TF_TensorByteSize(tensor));
  }
  free(shape.data);
  free(dim.data);
}

/* --- Requests ------------------------------------------------------------ */

typedef struct {
  TF_Session* session;
  TF_Graph* graph;
  Bytes meta;
} Model;

static int refuse(Buffer* out, TF_Code code, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  append(out, text, strlen(text));
  return code;
}

static int run(const Model* model, const Signature* signature,
               TF_Tensor** inputs, Buffer* out) {
  TF_Output from[MOST_TENSORS], to[MOST_TENSORS];
  TF_Tensor* answers[MOST_TENSORS] = {NULL};
  for (int i = 0; i < signature->num_inputs; ++i)
    from[i] = signature->inputs[i].output;
  for (int i = 0; i < signature->num_outputs; ++i)
    to[i] = signature->outputs[i].output;
  TF_Status* status = TF_NewStatus();
  TF_SessionRun(model->session, NULL, from, inputs, signature->num_inputs, to,
                answers, signature->num_outputs, NULL, 0, NULL, status);
  const int code = TF_GetCode(status);
  if (code != TF_OK) refuse(out, code, "%s", TF_Message(status));
  Buffer entry = {0}, tensor = {0};
  for (int i = 0; code == TF_OK && i < signature->num_outputs; ++i) {
    const Bytes key = signature->outputs[i].key;
    tensor.size = entry.size = 0;
    append_tensor(&tensor, answers[i]);
    append_bytes(&entry, 1, key.at, key.end - key.at);
    append_bytes(&entry, 2, tensor.data, tensor.size);
    append_bytes(out, 1, entry.data, entry.size);
  }
  for (int i = 0; i < signature->num_outputs; ++i) free_tensor(answers[i]);
  free(entry.data);
  free(tensor.data);
  TF_DeleteStatus(status);
  return code;
}

static int answer(const Model* model, Bytes request, Buffer* out) {
  const char* standard = "serving_default";
  Bytes wanted = {(const uint8_t*)standard,
                  (const uint8_t*)standard + strlen(standard)};
  TF_Tensor* inputs[MOST_TENSORS] = {NULL};
  Signature signature;
  Field field, inner;
  Bytes in = request, key, value;
  int more, code = TF_OK, given = 0;
  while ((more = next_field(&in, &field)) > 0) {
    if (field.number != 1 || field.wire != 2) continue;
    while ((more = next_field(&field.bytes, &inner)) > 0)
      if (inner.number == 3 && inner.wire == 2 &&
          inner.bytes.at != inner.bytes.end)
        wanted = inner.bytes;
    if (more < 0) break;
  }
  if (more < 0) return refuse(out, TF_INVALID_ARGUMENT, "no PredictRequest");
  if (!find_signature(model->graph, model->meta, wanted, &signature))
    return refuse(out, TF_INVALID_ARGUMENT, "no such signature");
  in = request;
  while (code == TF_OK && next_field(&in, &field) > 0) {
    int place = 0;
    const char* wrong;
    if (field.number != 2 || field.wire != 2) continue;
    if (!read_entry(field.bytes, &key, &value)) {
      code = refuse(out, TF_INVALID_ARGUMENT, "no input");
      break;
    }
    while (place < signature.num_inputs &&
           !same(signature.inputs[place].key, key))
      ++place;
    const int length = (int)(key.end - key.at);
    if (place == signature.num_inputs || inputs[place] != NULL) {
      code = refuse(out, TF_INVALID_ARGUMENT, "unexpected input %.*s",
                    length < 99 ? length : 99, key.at);
    } else if ((inputs[place] = read_tensor(value, &wrong)) == NULL) {
      code = refuse(out, TF_INVALID_ARGUMENT, "input %.*s: %s", length, key.at,
                    wrong);
    } else if (TF_TensorType(inputs[place]) !=
               TF_OperationOutputType(signature.inputs[place].output)) {
      code = refuse(out, TF_INVALID_ARGUMENT, "input %.*s: wrong type", length,
                    key.at);
    } else {
      ++given;
    }
  }
  if (code == TF_OK && given != signature.num_inputs)
    code = refuse(out, TF_INVALID_ARGUMENT, "missing inputs: %d of %d", given,
                  signature.num_inputs);
  if (code == TF_OK) code = run(model, &signature, inputs, out);
  for (int i = 0; i < signature.num_inputs; ++i) free_tensor(inputs[i]);
  return code;
}

int main(int argc, char** argv) {
  if (argc != 2) die("usage: serve FOLDER");
  const char* tags[] = {"serve"};
  TF_Status* status = TF_NewStatus();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Buffer* meta = TF_NewBuffer();
  Model model = {.graph = TF_NewGraph()};
  model.session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, model.graph, meta, status);
  if (TF_GetCode(status) != TF_OK) die(TF_Message(status));
  model.meta.at = meta->data;
  model.meta.end = model.meta.at + meta->length;

  uint32_t length;
  uint8_t* request = NULL;
  Buffer out = {0};
  while (fread(&length, sizeof(length), 1, stdin) == 1) {
    request = realloc(request, length + 1);
    if (request == NULL) die("no memory");
    if (fread(request, 1, length, stdin) != length) die("short request");
    out.size = 0;
    const Bytes bytes = {request, request + length};
    const uint32_t code = answer(&model, bytes, &out);
    const uint32_t size = (uint32_t)out.size;
    fwrite(&size, sizeof(size), 1, stdout);
    fwrite(&code, sizeof(code), 1, stdout);
    fwrite(out.data, 1, out.size, stdout);
    fflush(stdout);
  }
  free(request);
  free(out.data);
  TF_CloseSession(model.session, status);
  TF_DeleteSession(model.session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(model.graph);
  TF_DeleteBuffer(meta);
  TF_DeleteStatus(status);
  return 0;
}
