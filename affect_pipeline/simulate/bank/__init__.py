"""A small bank of synthesised utterances, so that a demo needs no corpus.

Twelve voices, made from one synthetic voice by changing its pitch and formants, say a dozen
sentences each: plainly and lively, and flat, slow, paused and all of these at once for low mood.
`make_voice_bank.py` beside this file made it; its docstring says how. The voices are not of
patients, and nobody acted: the bank shows that the pipeline works, not how well.
"""
