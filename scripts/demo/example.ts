/** The example of the provider's own page on hailuo/02-image-to-video-pro, under our names. */
export const EXAMPLE = {
  prompt:
    '电影级宽幅镜头：一艘巨型星际飞船静静悬浮在土星环上空，金属船体反射着缕缕宇宙光芒。镜头缓缓推进，露出数千扇亮着灯光的舷窗，宛如一座漂浮的城市。小型战斗机穿梭于画面之中，在浩瀚宇宙里灵活机动，留下霓虹色的尾迹。推进器突然迸发能量，小行星碎片在慢镜头下四散飞溅，碰撞时闪烁着微弱的光芒，而后缓缓飘向远方。',
  imageUrl: 'https://file.aiquickdraw.com/custom-page/akr/section-images/17585210783150ispzfo7.png',
  endImageUrl: '',
  promptOptimizer: true,
};
