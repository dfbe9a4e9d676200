/* Loads a SavedModel through TensorFlow's C API and prints its answers.
 *
 *   predict FOLDER OUTPUT INPUT=NUMBER,NUMBER,... ... [-- OUTPUT INPUT=... ...]
 *
 * OUTPUT and INPUT are operations, with :INDEX behind an operation of several
 * outputs. Requests behind -- run in the same session, one after the other.
 * Inputs are int32 or int64 of shape (batch,); outputs float32 or int64. Their
 * numbers are printed one a line, with enough digits to be read back exactly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MOST_INPUTS 16

static void fail(const char* what, const char* detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static void check(const TF_Status* status, const char* what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static TF_Output find(TF_Graph* graph, char* name) {
  TF_Output output = {NULL, 0};
  char* colon = strchr(name, ':');
  if (colon != NULL) {
    *colon = '\0';
    output.index = atoi(colon + 1);
  }
  output.oper = TF_GraphOperationByName(graph, name);
  if (output.oper == NULL) fail("no such operation", name);
  return output;
}

static TF_Tensor* parse(const char* text, TF_DataType type) {
  int64_t count = 1;
  for (const char* c = text; *c; ++c) count += *c == ',';
  const size_t width = type == TF_INT64 ? sizeof(int64_t) : sizeof(int32_t);
  TF_Tensor* tensor = TF_AllocateTensor(type, &count, 1, count * width);
  void* data = TF_TensorData(tensor);
  char* end = (char*)text;
  for (int64_t i = 0; i < count; ++i, ++end) {
    const long long number = strtoll(end, &end, 10);
    if (type == TF_INT64)
      ((int64_t*)data)[i] = number;
    else
      ((int32_t*)data)[i] = (int32_t)number;
  }
  return tensor;
}

static void print(const TF_Tensor* tensor) {
  const size_t bytes = TF_TensorByteSize(tensor);
  const void* data = TF_TensorData(tensor);
  if (TF_TensorType(tensor) == TF_FLOAT) {
    for (size_t i = 0; i < bytes / sizeof(float); ++i)
      printf("%.9g\n", ((const float*)data)[i]);
  } else if (TF_TensorType(tensor) == TF_INT64) {
    for (size_t i = 0; i < bytes / sizeof(int64_t); ++i)
      printf("%lld\n", (long long)((const int64_t*)data)[i]);
  } else {
    fail("wrong type", "the output is neither float32 nor int64");
  }
}

/* One request: its output first, then its inputs. */
static void run(TF_Session* session, TF_Graph* graph, int argc, char** argv,
                TF_Status* status) {
  const int num_inputs = argc - 1;
  if (num_inputs < 1 || num_inputs > MOST_INPUTS)
    fail("usage", "OUTPUT INPUT=NUMBER,... ...");
  TF_Output inputs[MOST_INPUTS];
  TF_Tensor* values[MOST_INPUTS];
  for (int i = 0; i < num_inputs; ++i) {
    char* equals = strchr(argv[1 + i], '=');
    if (equals == NULL) fail("no numbers for input", argv[1 + i]);
    *equals = '\0';
    inputs[i] = find(graph, argv[1 + i]);
    values[i] = parse(equals + 1, TF_OperationOutputType(inputs[i]));
  }
  TF_Output output = find(graph, argv[0]);
  TF_Tensor* answer = NULL;
  TF_SessionRun(session, NULL, inputs, values, num_inputs, &output, &answer, 1,
                NULL, 0, NULL, status);
  check(status, "cannot run");
  print(answer);
  for (int i = 0; i < num_inputs; ++i) TF_DeleteTensor(values[i]);
  TF_DeleteTensor(answer);
}

int main(int argc, char** argv) {
  if (argc < 4) fail("usage", "predict FOLDER OUTPUT INPUT=NUMBER,... ...");

  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "cannot load");

  for (int first = 2; first < argc;) {
    int last = first;
    while (last < argc && strcmp(argv[last], "--") != 0) ++last;
    run(session, graph, last - first, argv + first, status);
    first = last + 1;
  }

  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
