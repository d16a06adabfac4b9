"""What happens to an immunized picture outside: tampering first, then benign post-processing.

- `masks`: random regions of a wanted area.  `tampers`: what is put into them.
- `chain`: naming benign attacks (`"jpeg:70+scale-back:0.7"`).  `benign`: carrying them out with real codecs.
- `encoders`: files as careless programs write them.
- `mix`: drawing attacks at random for training.

Pictures are H x W x 3 RGB uint8. Everything random comes from the numpy Generator passed in; nothing keeps
state, so every function can be called from several threads at once (OpenCV and Pillow release the interpreter
lock).
"""
