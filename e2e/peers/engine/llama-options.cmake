# How llama.cpp is compiled here: as an initial cache for `cmake -C`. What counts is the time that it takes: the model is tiny.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG" CACHE STRING "")
set(CMAKE_PROJECT_llama.cpp_INCLUDE "${CMAKE_CURRENT_LIST_DIR}/llama-unity.cmake" CACHE FILEPATH "")

# Shared, because the Python server loads the same libraries. They find each other by the loader's own word for "beside me".
set(BUILD_SHARED_LIBS ON CACHE BOOL "")
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON CACHE BOOL "")
if(CMAKE_HOST_SYSTEM_NAME STREQUAL "Darwin")
  set(CMAKE_INSTALL_RPATH "@loader_path" CACHE STRING "")
else()
  set(CMAKE_INSTALL_RPATH "$ORIGIN" CACHE STRING "")
endif()

foreach(option
    # It serves loopback only; its page would be fetched from elsewhere in the middle of the build.
    LLAMA_OPENSSL LLAMA_BUILD_UI LLAMA_USE_PREBUILT_UI
    LLAMA_BUILD_TESTS LLAMA_BUILD_EXAMPLES LLAMA_BUILD_APP LLAMA_ALL_WARNINGS GGML_ALL_WARNINGS
    # Plain code runs on every machine that a copy of the result may land on, and compiles sooner.
    GGML_NATIVE GGML_OPENMP GGML_LLAMAFILE GGML_CCACHE GGML_METAL GGML_BLAS
    GGML_SSE42 GGML_AVX GGML_AVX2 GGML_FMA GGML_F16C GGML_BMI2)
  set(${option} OFF CACHE BOOL "")
endforeach()
