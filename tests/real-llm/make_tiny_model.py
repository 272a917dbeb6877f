#!/usr/bin/env python3
"""Make a tiny random-weight Qwen3-architecture chat model as OUT.gguf, without downloading anything.

The model answers nonsense, on purpose: it is there so that the client can be tested against a server
that nobody of this project wrote (HTTP, SSE framing, usage figures, error bodies, limits, structured
output, cancellation). Whoever needs a chosen answer uses the scripted server instead.

  pip install -r requirements.txt
  python make_tiny_model.py OUT.gguf
"""
import argparse, json, os, pathlib, sys

import numpy as np

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>",
            "<tool_call>", "</tool_call>"]
TEMPLATE = (
    "{%- if tools -%}{{ '<|im_start|>system\\n# Tools\\n<tools>\\n' }}"
    "{%- for t in tools -%}{{ t | tojson }}{{ '\\n' }}{%- endfor -%}"
    "{{ '</tools>\\nAnswer a call as <tool_call>\\n{\"name\": ..., \"arguments\": ...}\\n</tool_call>'"
    " + '<|im_end|>\\n' }}{%- endif -%}"
    "{%- for m in messages -%}{{ '<|im_start|>' + m['role'] + '\\n' + (m['content'] or '') }}"
    "{%- for c in (m.get('tool_calls') or []) -%}"
    "{{ '\\n<tool_call>\\n{\"name\": \"' + c['function']['name'] + '\", \"arguments\": ' }}"
    "{{ c['function']['arguments'] if c['function']['arguments'] is string"
    " else (c['function']['arguments'] | tojson) }}{{ '}\\n</tool_call>' }}"
    "{%- endfor -%}{{ '<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)


def train_tokenizer(vocab_size):
    from tokenizers import Tokenizer, AddedToken, models, pre_tokenizers, decoders, trainers
    # A corpus every Python installation has: the sources of a few standard modules.
    import argparse as a, ast, asyncio.tasks as at, collections as c, json.decoder as jd, \
        logging as lg, subprocess as sp, textwrap as tw, unittest.case as uc
    texts = [pathlib.Path(m.__file__).read_text() for m in (a, ast, at, c, jd, lg, sp, tw, uc)]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIALS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    return tok


def make_weights(cfg, seed):
    rng = np.random.default_rng(seed)
    h, v, i = cfg["hidden_size"], cfg["vocab_size"], cfg["intermediate_size"]
    d, nh, nkv = cfg["head_dim"], cfg["num_attention_heads"], cfg["num_key_value_heads"]

    def w(*shape):
        return (rng.standard_normal(shape) * (1.0 / np.sqrt(shape[-1]))).astype(np.float32)

    out = {"model.embed_tokens.weight": w(v, h), "model.norm.weight": np.ones(h, np.float32),
           "lm_head.weight": w(v, h)}
    for n in range(cfg["num_hidden_layers"]):
        p = f"model.layers.{n}."
        out |= {
            p + "input_layernorm.weight": np.ones(h, np.float32),
            p + "post_attention_layernorm.weight": np.ones(h, np.float32),
            p + "self_attn.q_proj.weight": w(nh * d, h), p + "self_attn.k_proj.weight": w(nkv * d, h),
            p + "self_attn.v_proj.weight": w(nkv * d, h), p + "self_attn.o_proj.weight": w(h, nh * d),
            p + "self_attn.q_norm.weight": np.ones(d, np.float32),
            p + "self_attn.k_norm.weight": np.ones(d, np.float32),
            p + "mlp.gate_proj.weight": w(i, h), p + "mlp.up_proj.weight": w(i, h),
            p + "mlp.down_proj.weight": w(h, i),
        }
    return out


GGUF_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    if name in GGUF_NAMES:
        return GGUF_NAMES[name]
    _, _, n, rest = name.split(".", 3)
    return f"blk.{n}.{GGUF_NAMES[rest.removesuffix('.weight')]}.weight"


def write_gguf(path, cfg, tok, weights):
    import gguf
    w = gguf.GGUFWriter(str(path), "qwen3")
    w.add_name("tiny-random-qwen3")
    w.add_context_length(cfg["max_position_embeddings"])
    w.add_embedding_length(cfg["hidden_size"])
    w.add_block_count(cfg["num_hidden_layers"])
    w.add_feed_forward_length(cfg["intermediate_size"])
    w.add_head_count(cfg["num_attention_heads"])
    w.add_head_count_kv(cfg["num_key_value_heads"])
    w.add_key_length(cfg["head_dim"])
    w.add_value_length(cfg["head_dim"])
    w.add_rope_freq_base(cfg["rope_theta"])
    w.add_layer_norm_rms_eps(cfg["rms_norm_eps"])
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    spec = json.loads(tok.to_str())
    vocab = tok.get_vocab(with_added_tokens=True)
    tokens = [t for t, _ in sorted(vocab.items(), key=lambda kv: kv[1])]
    assert len(tokens) == cfg["vocab_size"], (len(tokens), cfg["vocab_size"])
    kinds = [gguf.TokenType.CONTROL if t in SPECIALS[:3]
             else gguf.TokenType.USER_DEFINED if t in SPECIALS
             else gguf.TokenType.NORMAL for t in tokens]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in spec["model"]["merges"]])
    w.add_eos_token_id(vocab["<|im_end|>"])
    w.add_pad_token_id(vocab["<|endoftext|>"])
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)
    for name, value in weights.items():
        w.add_tensor(gguf_name(name), value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out", type=pathlib.Path)
    ap.add_argument("--vocab", type=int, default=1024)
    ap.add_argument("--layers", type=int, default=2)
    ap.add_argument("--context", type=int, default=16384)
    ap.add_argument("--seed", type=int, default=7)
    a = ap.parse_args()

    tok = train_tokenizer(a.vocab)
    cfg = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": a.layers,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
        "vocab_size": len(tok.get_vocab(with_added_tokens=True)), "max_position_embeddings": a.context,
        "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    }
    weights = make_weights(cfg, a.seed)
    a.out.parent.mkdir(parents=True, exist_ok=True)
    # Whoever looks for the model finds it whole or not at all.
    unfinished = a.out.with_suffix(f".{os.getpid()}")
    write_gguf(unfinished, cfg, tok, weights)
    unfinished.rename(a.out)
    n = sum(int(np.prod(w.shape)) for w in weights.values())
    print(f"{a.out}: {n} parameters, vocabulary {cfg['vocab_size']}", file=sys.stderr)


if __name__ == "__main__":
    main()
