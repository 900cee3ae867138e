# Makes the pictures of this folder: `pip install pillow==13.0.0 && python3 make_pictures.py`.
import io
from PIL import Image, ImageDraw, PngImagePlugin, ImageCms

def screen(w, h, n=0):
    im = Image.new("RGB", (w, h), (20 + 40 * n, 30, 60))
    ImageDraw.Draw(im).rectangle((4 + n, 4, w - 4, h // 2), fill=(200, 200, 40 * n))
    return im

exif = Image.Exif()
exif[0x010F] = "SecretCamera"
gps = exif.get_ifd(0x8825)
gps[1], gps[2], gps[3], gps[4] = "N", (48.0, 51.0, 29.6), "E", (2.0, 17.0, 40.2)
icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">SecretXmp</x:xmpmeta>'

screen(320, 180).save("gps.jpg", exif=exif, icc_profile=icc, comment=b"SecretComment", xmp=xmp, progressive=True)
screen(64, 48).convert("L").save("plain.jpg")
info = PngImagePlugin.PngInfo()
info.add_text("Software", "SecretTool")
info.add_itxt("XML:com.adobe.xmp", xmp.decode())
screen(320, 200).save("text.png", pnginfo=info, exif=exif)
screen(64, 64).quantize(8).save("palette.png")
screen(48, 32).save("moving.png", save_all=True, append_images=[screen(48, 32, n) for n in (1, 2)])
screen(48, 32).save("moving.gif", save_all=True, append_images=[screen(48, 32, n) for n in (1, 2)], comment=b"SecretComment")
screen(48, 32).save("moving.webp", save_all=True, append_images=[screen(48, 32, n) for n in (1, 2)], exif=exif, xmp=xmp)
screen(40, 30).save("lossy.webp")
screen(40, 30).save("lossless.webp", lossless=True)
screen(33, 17).save("small.bmp")
screen(33, 17).save("small.tiff")
screen(32, 32).save("small.ico")
try:
    screen(64, 40).save("small.avif", exif=exif)
except Exception as e:
    print("no avif", e)
