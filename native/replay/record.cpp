/** @file Reads recorded plans, compares results with what was recorded. Knows no thresholds: the record brings them. */
#include "record.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace replay {
namespace {

class Reader {
 public:
  Reader(const char *data, size_t size) : at_(data), end_(data + size) {}
  template <class T> T value() {
    T v;
    std::memcpy(&v, take(sizeof v), sizeof v);
    return v;
  }
  template <class T> std::vector<T> array(size_t count) {
    if (count > left() / sizeof(T)) throw std::runtime_error("the record is cut off");
    std::vector<T> values(count);
    if (count) std::memcpy(values.data(), take(count * sizeof(T)), count * sizeof(T));
    return values;
  }
  std::string text() {
    const std::vector<char> letters = array<char>(value<uint32_t>());
    return std::string(letters.begin(), letters.end());
  }

 private:
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  const char *take(size_t bytes) {
    if (bytes > left()) throw std::runtime_error("the record is cut off");
    const char *here = at_;
    at_ += bytes;
    return here;
  }
  const char *at_, *end_;
};

std::vector<char> read_all(const char *file) {
  std::FILE *f = std::fopen(file, "rb");
  if (!f) throw std::runtime_error(std::string("cannot read ") + file);
  std::vector<char> all;
  char piece[1 << 16];
  for (size_t n; (n = std::fread(piece, 1, sizeof piece, f)) > 0;) all.insert(all.end(), piece, piece + n);
  std::fclose(f);
  return all;
}

Case read_case(Reader &r) {
  Case c;
  c.name = r.text();
  c.tensors = r.array<sb_tensor>(r.value<uint32_t>());
  c.kernels.resize(r.value<uint32_t>());
  for (auto &name : c.kernels) name = r.text();
  c.nodes = r.array<sb_node>(r.value<uint32_t>());
  c.params = r.array<double>(r.value<uint32_t>());
  c.buffers.resize(r.value<uint32_t>());
  for (auto &b : c.buffers) {
    b.bytes = r.value<int64_t>();
    b.packed_from = r.value<int32_t>();
    b.form = r.value<int32_t>();
    b.data = r.array<char>(static_cast<size_t>(r.value<int64_t>()));
  }
  c.expectations.resize(r.value<uint32_t>());
  for (auto &e : c.expectations) {
    e.tensor = r.value<int32_t>();
    e.how = r.value<int32_t>();
    e.relative = r.value<double>();
    e.absolute = r.value<double>();
    e.data = r.array<char>(static_cast<size_t>(r.value<int64_t>()));
  }
  return c;
}

float half(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const float size = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? std::ldexp(1024.0f + static_cast<float>(mantissa), exponent - 25) : std::ldexp(static_cast<float>(mantissa), -24);
  return h >> 15 ? -size : size;
}

double number(int32_t type, const char *p, size_t i) {
  uint16_t h;
  uint32_t bits;
  float f;
  if (type == SB_F32) return std::memcpy(&f, p + 4 * i, 4), f;
  std::memcpy(&h, p + 2 * i, 2);
  if (type == SB_F16) return half(h);
  bits = static_cast<uint32_t>(h) << 16;
  std::memcpy(&f, &bits, 4);
  return f;
}

}  // namespace

std::vector<Case> read_cases(const char *file) {
  const std::vector<char> all = read_all(file);
  Reader r(all.data(), all.size());
  if (std::memcmp(r.array<char>(8).data(), "SBPLANS1", 8) != 0) throw std::runtime_error(std::string(file) + " holds no recorded plans");
  std::vector<Case> cases(r.value<uint32_t>());
  for (auto &c : cases) c = read_case(r);
  return cases;
}

std::string compare(const sb_tensor &tensor, const Expectation &expected, const char *got) {
  const char *want = expected.data.data();
  char line[160];
  if (expected.how == bytes) {
    for (size_t i = 0; i < expected.data.size(); i++)
      if (want[i] != got[i]) return std::snprintf(line, sizeof line, "byte %zu: expected %d, got %d", i, want[i], got[i]), line;
    return "";
  }
  const size_t count = expected.data.size() / (tensor.type == SB_F32 ? 4 : 2);
  double difference = 0, size = 0;
  for (size_t i = 0; i < count; i++) {
    const double e = number(tensor.type, want, i), g = number(tensor.type, got, i);
    const bool finite = std::isfinite(e) && std::isfinite(g);
    const bool same = finite ? expected.how == norm || std::fabs(e - g) <= expected.relative * std::fabs(e) + expected.absolute : (std::isnan(e) && std::isnan(g)) || e == g;
    if (!same) return std::snprintf(line, sizeof line, "element %zu: expected %.9g, got %.9g", i, e, g), line;
    if (finite) difference += (e - g) * (e - g), size += e * e;
  }
  if (expected.how == norm && std::sqrt(difference) > expected.relative * std::sqrt(size) + expected.absolute * std::sqrt(static_cast<double>(count)))
    return std::snprintf(line, sizeof line, "an error of %.3g of the norm, at most %.3g", std::sqrt(difference / size), expected.relative), line;
  return "";
}

}  // namespace replay
