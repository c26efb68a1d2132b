"""Which thing a picture shows, when nobody says: a box around the largest that stands out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Boxes

from .cutting import Colors, shrunk

_SIDE = 160


def subject_box(rgb: Colors) -> Boxes | None:
    import cv2
    small = shrunk(rgb, _SIDE)
    sal = saliency(small)
    level,_=cv2.threshold((sal*255).astype(np.uint8),0,255,cv2.THRESH_OTSU)
    mask=(sal*255>level).astype(np.uint8)
    mask=cv2.morphologyEx(mask,cv2.MORPH_OPEN,np.ones((3,3),np.uint8))
    n,lab,st,_=cv2.connectedComponentsWithStats(mask)
    if n<2: return None
    best=1+int(st[1:,4].argmax())
    x,y,w,h,a=st[best]
    H,W=mask.shape
    return Boxes(((max(0,x/W-.02),max(0,y/H-.02),min(1,(x+w)/W+.02),min(1,(y+h)/H+.02)),))


def saliency(small: Colors) -> NDArray[np.float32]:
    import cv2
    lab=cv2.cvtColor(cv2.GaussianBlur(small,(0,0),1.0),cv2.COLOR_RGB2LAB).astype(np.float32)
    H,W=lab.shape[:2]
    r=max(2,round(.04*min(H,W)))
    rim=np.ones((H,W),bool); rim[r:-r,r:-r]=False
    rim[-r:, int(.2*W):int(.8*W)]=False
    border=lab[rim]
    cv2.setRNGSeed(0)
    stop=(cv2.TERM_CRITERIA_EPS+cv2.TERM_CRITERIA_MAX_ITER,20,1.0)
    _,labels,mid=cv2.kmeans(border,5,None,stop,2,cv2.KMEANS_PP_CENTERS)
    d=np.full((H,W),np.inf,np.float32)
    for k in range(5):
        mine=border[labels[:,0]==k]
        if len(mine)<.03*len(border): continue
        s=mine.std(axis=0)+6
        d=np.minimum(d,np.sqrt((((lab-mid[k])/s)**2).sum(axis=2)))
    y,x=np.mgrid[:H,:W]
    c=np.exp(-(((x/W-.5)/.45)**2+((y/H-.5)/.5)**2)*.7)
    s=np.minimum(d,12)*c
    return (s/max(s.max(),1e-3)).astype(np.float32)
