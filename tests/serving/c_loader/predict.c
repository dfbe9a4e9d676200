/* Loads a SavedModel through TensorFlow's C API and prints its predictions.
 *
 *   predict FOLDER OUTPUT_OPERATION INPUT_OPERATION=ID,ID,... ...
 *
 * Every input takes int32 ids of shape (batch,); the output is float32. Its
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

static TF_Output find(TF_Graph* graph, const char* name) {
  TF_Output output = {TF_GraphOperationByName(graph, name), 0};
  if (output.oper == NULL) fail("no such operation", name);
  return output;
}

static TF_Tensor* parse_ids(const char* text) {
  int64_t count = 1;
  for (const char* c = text; *c; ++c) count += *c == ',';
  TF_Tensor* tensor =
      TF_AllocateTensor(TF_INT32, &count, 1, count * sizeof(int32_t));
  int32_t* ids = TF_TensorData(tensor);
  char* end = (char*)text;
  for (int64_t i = 0; i < count; ++i, ++end) ids[i] = strtol(end, &end, 10);
  return tensor;
}

int main(int argc, char** argv) {
  if (argc < 4 || argc - 3 > MOST_INPUTS)
    fail("usage", "predict FOLDER OUTPUT INPUT=ID,ID,... ...");

  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "cannot load");

  const int num_inputs = argc - 3;
  TF_Output inputs[MOST_INPUTS];
  TF_Tensor* ids[MOST_INPUTS];
  for (int i = 0; i < num_inputs; ++i) {
    char* equals = strchr(argv[3 + i], '=');
    if (equals == NULL) fail("no ids for input", argv[3 + i]);
    *equals = '\0';
    inputs[i] = find(graph, argv[3 + i]);
    ids[i] = parse_ids(equals + 1);
  }

  TF_Output output = find(graph, argv[2]);
  TF_Tensor* prediction = NULL;
  TF_SessionRun(session, NULL, inputs, ids, num_inputs, &output, &prediction,
                1, NULL, 0, NULL, status);
  check(status, "cannot run");
  if (TF_TensorType(prediction) != TF_FLOAT)
    fail("wrong type", "the output is not float32");

  const float* values = TF_TensorData(prediction);
  const size_t count = TF_TensorByteSize(prediction) / sizeof(float);
  for (size_t i = 0; i < count; ++i) printf("%.9g\n", values[i]);

  for (int i = 0; i < num_inputs; ++i) TF_DeleteTensor(ids[i]);
  TF_DeleteTensor(prediction);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
