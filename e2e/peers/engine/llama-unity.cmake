# Included by llama.cpp's own project(). Two hundred model architectures are two hundred small files that each read the same
# large headers; compiled a dozen at a time they take a fraction. Deferred: the targets come later.
cmake_language(DEFER CALL set_target_properties llama mtmd PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
