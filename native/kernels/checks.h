/** @file Checking a call against a signature such as "x:F[T,D] b:F[D]? -> y:F[T,D]".
 * Types: F f32|bf16, f f32, B bf16, I i32, H F|f16, N F|i32, A any of them, W a weight table, C F|f16|q8_0.
 * Dimensions: a name (equal wherever it occurs), a number, or `*` for all that remain (equal wherever it occurs).
 * `?` marks an operand that may be left out. */
#pragma once
#include <cstdint>

#include "../core/kernel.h"
#include "tier.h"

namespace sb {

/** nullptr, or what was expected and what came. Parameters beyond `params` are for the graph alone. */
const char *signature(const Call &call, const char *text, int params);
/** A refusal in the manner of printf, kept for the calling thread. */
const char *refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Bytes of the tensor's elements; -1 for a type without a fixed layout. */
int64_t tensor_bytes(const Tensor &t);

inline View view(const Tensor &t) { return View{static_cast<char *>(t.data), t.type}; }
/** The same, marked as streaming where the call's operands exceed what caches hold. A result in an operand's memory never is: its lines are there already. */
View view(const Call &call, const Tensor &t);
inline int64_t element_bytes(int type) { return type == SB_F32 || type == SB_I32 ? 4 : type == SB_I8 ? 1 : 2; }
/** The view from element `at` on. */
inline View from(const View &v, int64_t at) { return View{v.data + at * element_bytes(v.type), v.type, v.stream}; }
inline int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }
inline int64_t round_up(int64_t n, int64_t to) { return pieces(n, to) * to; }

}  // namespace sb

/** A `check` that is nothing but a signature. */
#define SB_SIGNATURE(text, params) [](const sb::Call &c) -> const char * { return sb::signature(c, text, params); }
