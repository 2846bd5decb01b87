"""The pages that an operator lives in: NiceGUI, own components, own style; no other server is ever asked."""
