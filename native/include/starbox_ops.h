/* The only promise between Starbox and its native kernels. Plain C, so that any language with a foreign-function
 * interface can call it. Tensors are contiguous, row-major, outermost dimension first; rank 1 to 4. Nothing here knows
 * models, text or files. Every call checks its arguments and answers an error code, never aborts the process. */
#ifndef STARBOX_OPS_H
#define STARBOX_OPS_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SB_ABI 2
#define SB_EXPORT __attribute__((visibility("default")))
#define SB_MAX_RANK 4
#define SB_MAX_OPERANDS 12

/* Element types. Numbers below 64 are ggml's own (ggml.h), so that a GGUF type id is a Starbox type id. */
typedef enum sb_type {
  SB_F32 = 0, SB_F16 = 1, SB_Q4_0 = 2, SB_Q4_1 = 3, SB_Q5_0 = 6, SB_Q5_1 = 7, SB_Q8_0 = 8,
  SB_Q4_K = 12, SB_Q5_K = 13, SB_Q6_K = 14, SB_I8 = 24, SB_I32 = 26, SB_BF16 = 30,
  /* A weight [N, K] rearranged by sb_pack for this machine's instruction set; `form` says for which product. */
  SB_PACKED = 64
} sb_type;

/* Instruction-set tiers, lowest first within a family. */
typedef enum sb_isa {
  SB_ISA_BASE = 0, SB_ISA_AVX2 = 1, SB_ISA_AVX512 = 2, SB_ISA_AVX512_BF16 = 3, /* 3: with BF16 and VNNI */
  SB_ISA_NEON = 16, SB_ISA_NEON_BF16 = 17                                       /* 17: with BF16 and I8MM */
} sb_isa;

typedef enum sb_status {
  SB_OK = 0, SB_BAD_ARGUMENT = -1, SB_UNSUPPORTED = -2, SB_CANCELLED = -3, SB_NO_MEMORY = -4, SB_INTERNAL = -5, SB_BUSY = -6
} sb_status;

/* A tensor. While a plan is described, `data` is NULL and `buffer`/`offset` say where it will lie. */
typedef struct sb_tensor {
  int32_t type;
  int32_t rank;
  int64_t shape[SB_MAX_RANK]; /* unused dimensions are 1 */
  int32_t buffer;             /* index into the buffers given to sb_plan_run */
  int32_t source_type;        /* SB_PACKED only: the type it was packed from */
  int64_t offset;             /* bytes; a multiple of 64 */
  void *data;
} sb_tensor;

/* One operation of a plan: tensors by index into the plan's table, -1 for an optional operand left out. */
typedef struct sb_node {
  int32_t kernel; /* from sb_kernel_find */
  int32_t inputs, outputs, params;
  int32_t operand[SB_MAX_OPERANDS * 2]; /* inputs first, then outputs */
  int64_t first_param;                  /* index into the plan's parameters */
} sb_node;

/* Memory both sides see while a plan runs. */
typedef struct sb_control {
  volatile int32_t cancel; /* set to 1 by the caller: the run ends before the next node with SB_CANCELLED */
  volatile int32_t node;   /* the node that is running, or at which the run failed */
} sb_control;

typedef struct sb_plan sb_plan;
typedef struct sb_pool sb_pool;

SB_EXPORT int32_t sb_abi(void);
SB_EXPORT int32_t sb_isa_best(void); /* best tier of this machine */
SB_EXPORT int32_t sb_isa_get(void);  /* tier in use */
SB_EXPORT int32_t sb_isa_set(int32_t isa); /* SB_BAD_ARGUMENT above the best tier or where it was not built */
SB_EXPORT const char *sb_isa_name(int32_t isa);
SB_EXPORT const char *sb_last_error(void); /* of the calling thread; "" when none */

/* Own memory, 64-byte aligned and zeroed; NULL when there is none. */
SB_EXPORT void *sb_alloc(size_t bytes);
SB_EXPORT void sb_free(void *memory);
SB_EXPORT void sb_copy(void *to, const void *from, size_t bytes);

/* A pool of `threads` (the caller counts as one). Idle threads spin for `spin_us`, then sleep. */
SB_EXPORT sb_pool *sb_pool_create(int32_t threads, int32_t spin_us, int32_t pin);
SB_EXPORT void sb_pool_free(sb_pool *pool);

/* Kernels by operator name (same names as src/compute/ops). */
SB_EXPORT int32_t sb_kernel_find(const char *name); /* -1 when there is none */
SB_EXPORT int32_t sb_kernel_count(void);
SB_EXPORT const char *sb_kernel_name(int32_t kernel);
/* NULL when this kernel takes these operands, else the reason. `operands` holds inputs, then outputs; absent ones are NULL. */
SB_EXPORT const char *sb_kernel_check(int32_t kernel, const sb_tensor *const *operands, int32_t inputs, int32_t outputs,
                                      const double *params, int32_t n_params);
/* Scratch bytes the kernel needs for these operands with `threads` threads. */
SB_EXPORT int64_t sb_kernel_scratch(int32_t kernel, const sb_tensor *const *operands, int32_t inputs, int32_t outputs,
                                    const double *params, int32_t n_params, int32_t threads);

/* 1 when output `output` may be the very memory of input `input` (same type and size); any other overlap of an output with
 * an operand of its node is refused when a plan is made. */
SB_EXPORT int32_t sb_kernel_overwrites(int32_t kernel, int32_t output, int32_t input);

/* A plan: everything of a step, run by one call. Tensors, nodes and parameters are copied. */
SB_EXPORT sb_plan *sb_plan_create(const sb_tensor *tensors, int64_t n_tensors, const sb_node *nodes, int64_t n_nodes,
                                  const double *params, int64_t n_params, int32_t n_buffers);
SB_EXPORT void sb_plan_free(sb_plan *plan);
SB_EXPORT int64_t sb_plan_scratch(const sb_plan *plan, int32_t threads); /* bytes: the largest of its nodes */
SB_EXPORT const char *sb_plan_error(const sb_plan *plan); /* of its last run that failed; "" when none */
/* Runs it. `buffers` and `buffer_bytes` have one entry a buffer: too small, misaligned (to its elements; packed weights to
 * 64 bytes) or overlapping ones of which one is written are SB_BAD_ARGUMENT. `seconds` may be NULL, else it receives one
 * figure a node. Blocks; call it off the event loop. One run at a time on a pool and of a plan: else SB_BUSY. */
SB_EXPORT int32_t sb_plan_run(sb_plan *plan, sb_pool *pool, void *const *buffers, const int64_t *buffer_bytes, void *scratch,
                              int64_t scratch_bytes, sb_control *control, double *seconds);

/* Packing of a weight [N, K] for products that read it often. */
typedef enum sb_form { SB_FORM_Y = 0 /* y = x Wᵀ, and dx where the tier's kernel can */, SB_FORM_DX = 1 /* dx = dy W */ } sb_form;
SB_EXPORT int64_t sb_packed_bytes(int32_t form, int32_t type, int64_t n, int64_t k);
SB_EXPORT int32_t sb_pack(sb_pool *pool, int32_t form, int32_t type, int64_t n, int64_t k, const void *weight, void *packed);
/* Changes when the layout of packed bytes changes: part of the key of the cache on disk. */
SB_EXPORT int32_t sb_packed_layout(int32_t form, int32_t type);

/* Limits of this machine, measured on the spot: 0 f32 FMA, 1 bf16 dot, 2 int8 dot (operations/s); 3 read, 4 write, 5 read+write (bytes/s). */
SB_EXPORT double sb_probe(sb_pool *pool, int32_t what, double seconds);

#ifdef __cplusplus
}
#endif
#endif
