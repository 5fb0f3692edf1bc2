/** @file The signature checker: parses the text each time; it runs once a node when a plan is made. */
#include "checks.h"

#include <algorithm>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace sb {
namespace {

struct Layout {
  int type, block, bytes;
  const char *name;
};
const Layout layouts[] = {{SB_F32, 1, 4, "f32"},      {SB_F16, 1, 2, "f16"},      {SB_BF16, 1, 2, "bf16"},    {SB_I8, 1, 1, "i8"},
                          {SB_I32, 1, 4, "i32"},      {SB_Q4_0, 32, 18, "q4_0"},  {SB_Q4_1, 32, 20, "q4_1"},  {SB_Q5_0, 32, 22, "q5_0"},
                          {SB_Q5_1, 32, 24, "q5_1"},  {SB_Q8_0, 32, 34, "q8_0"},  {SB_Q4_K, 256, 144, "q4_k"}, {SB_Q5_K, 256, 176, "q5_k"},
                          {SB_Q6_K, 256, 210, "q6_k"}};

const Layout *layout_of(int type) {
  for (const auto &l : layouts)
    if (l.type == type) return &l;
  return nullptr;
}

bool accepts(char kind, int type) {
  const bool f = type == SB_F32 || type == SB_BF16;
  switch (kind) {
    case 'F': return f;
    case 'f': return type == SB_F32;
    case 'B': return type == SB_BF16;
    case 'I': return type == SB_I32;
    case 'H': return f || type == SB_F16;
    case 'N': return f || type == SB_I32;
    case 'A': return f || type == SB_F16 || type == SB_I32;
    case 'C': return f || type == SB_F16 || type == SB_Q8_0;
    case 'W': return layout_of(type) && type != SB_I8 && type != SB_I32;
    default: return false;
  }
}

const char *kind_name(char kind) {
  switch (kind) {
    case 'F': return "f32 or bf16";
    case 'f': return "f32";
    case 'B': return "bf16";
    case 'I': return "i32";
    case 'H': return "f32, bf16 or f16";
    case 'N': return "f32, bf16 or i32";
    case 'A': return "f32, bf16, f16 or i32";
    case 'C': return "f32, bf16, f16 or q8_0";
    case 'W': return "f32, f16, bf16 or a quantised type";
    default: return "?";
  }
}

std::string got(const Tensor &t) {
  const Layout *l = layout_of(t.type);
  std::string s = l ? l->name : "type " + std::to_string(t.type);
  s += " [";
  for (int d = 0; d < t.rank; d++) s += (d ? ", " : "") + std::to_string(t.shape[d]);
  return s + "]";
}

struct Item {
  std::string name, dims;
  char kind = 'F';
  bool optional = false;
};

std::vector<Item> parse(const std::string &text) {
  std::vector<Item> items;
  size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && text[at] == ' ') at++;
    if (at >= text.size()) break;
    const size_t end = std::min(text.find(' ', at), text.size()), colon = text.find(':', at);
    Item item;
    item.name = text.substr(at, colon - at);
    item.kind = text[colon + 1];
    item.dims = text.substr(colon + 2, end - colon - 2);
    if (!item.dims.empty() && item.dims.back() == '?') item.optional = true, item.dims.pop_back();
    if (item.dims == "*") item.dims = "[*]";
    items.push_back(item);
    at = end;
  }
  return items;
}

using Bound = std::map<std::string, std::vector<int64_t>>;

/** Binds or compares the dimensions; false when they do not fit. `want` becomes what was expected. */
bool fits(const Tensor &t, const std::string &dims, Bound &bound, std::string &want) {
  bool good = true;
  int d = 0;
  want.clear();
  for (size_t at = 1; at + 1 < dims.size();) {
    const size_t end = std::min(dims.find(',', at), dims.size() - 1);
    const std::string name = dims.substr(at, end - at);
    at = end + 1;
    if (!want.empty()) want += ", ";
    if (name == "*") {
      std::vector<int64_t> rest;
      for (int i = d; i < t.rank; i++) rest.push_back(t.shape[i]);
      auto known = bound.find(name);
      if (known == bound.end()) known = bound.emplace(name, rest).first;
      else good = good && known->second == rest;
      for (size_t i = 0; i < known->second.size(); i++) want += (i ? ", " : "") + std::to_string(known->second[i]);
      d = t.rank > d ? t.rank : d;
      continue;
    }
    const bool number = name[0] >= '0' && name[0] <= '9';
    const int64_t here = d < t.rank ? t.shape[d] : -1;
    int64_t expected = here;
    if (number) expected = std::atoll(name.c_str());
    else if (auto known = bound.find(name); known != bound.end()) expected = known->second[0];
    else if (here >= 0) bound[name] = {here};
    want += number ? name : expected >= 0 ? name + "=" + std::to_string(expected) : name;
    good = good && here >= 0 && here == expected;
    d++;
  }
  want = "[" + want + "]";
  return good && d == t.rank;
}

const char *match(const std::vector<Item> &items, const Tensor *const *operands, int count, const char *what, Bound &bound) {
  if (count != static_cast<int>(items.size())) return refuse("expected %d %s, got %d", static_cast<int>(items.size()), what, count);
  for (size_t i = 0; i < items.size(); i++) {
    const Item &item = items[i];
    if (!operands[i]) {
      if (item.optional) continue;
      return refuse("%s is missing", item.name.c_str());
    }
    std::string want;
    const bool right = fits(*operands[i], item.dims, bound, want);
    if (!right || !accepts(item.kind, operands[i]->type))
      return refuse("%s: expected %s %s, got %s", item.name.c_str(), kind_name(item.kind), want.c_str(), got(*operands[i]).c_str());
    const Layout *l = layout_of(operands[i]->type);
    if (l && l->block > 1 && columns(*operands[i]) % l->block) return refuse("%s: rows of %s hold multiples of %d, got %s", item.name.c_str(), l->name, l->block, got(*operands[i]).c_str());
  }
  return nullptr;
}

}  // namespace

const char *refuse(const char *format, ...) {
  static thread_local char text[320];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return text;
}

int64_t tensor_bytes(const Tensor &t) {
  const Layout *l = layout_of(t.type);
  return l ? elements(t) / l->block * l->bytes : -1;
}

const char *signature(const Call &call, const char *text, int params) {
  const std::string all = text;
  const size_t arrow = all.find("->");
  Bound bound;
  if (const char *reason = match(parse(all.substr(0, arrow)), call.in, call.n_in, "inputs", bound)) return reason;
  if (const char *reason = match(parse(all.substr(arrow + 2)), call.out, call.n_out, "outputs", bound)) return reason;
  return call.n_params >= params ? nullptr : refuse("expected %d parameters, got %d", params, call.n_params);
}

View view(const Call &c, const Tensor &t) {
  constexpr int64_t kCached = int64_t{48} << 20;
  int64_t all = 0;
  bool in_place = false, result = false;
  for (int i = 0; i < c.n_in; i++)
    if (c.in[i]) all += std::max<int64_t>(0, tensor_bytes(*c.in[i])), in_place = in_place || c.in[i]->data == t.data;
  for (int i = 0; i < c.n_out; i++)
    if (c.out[i]) all += std::max<int64_t>(0, tensor_bytes(*c.out[i])), result = result || c.out[i] == &t;
  View v = view(t);
  v.stream = all > kCached && !(result && in_place);
  return v;
}

}  // namespace sb
