# Included by llama.cpp's own project(). Its hundreds of small files each read the same large headers; compiled several at a time
# they take two thirds of the processor's time. Deferred, because the targets come later.
function(compile_several_at_a_time)
  set_target_properties(ggml-cpu llama llama-common mtmd server-context PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  # These cannot be read after others: one specializes what they use, two refuse to see internal headers.
  set(alone ${PROJECT_SOURCE_DIR}/tools/mtmd/mtmd-helper.cpp ${PROJECT_SOURCE_DIR}/tools/mtmd/mtmd-helper-gen.cpp)
  set_source_files_properties(${alone} TARGET_DIRECTORY mtmd PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/common/json.cpp TARGET_DIRECTORY llama-common PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
cmake_language(DEFER CALL compile_several_at_a_time)
