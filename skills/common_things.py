"""Common things, places and weather, in English: what a picture is compared with for tags."""

_LINES = """
    person, man, woman, child, baby, crowd, face, hand, bride, soldier, athlete, musician, chef
    dog, cat, horse, cow, sheep, goat, pig, donkey, rabbit, mouse, squirrel, fox, wolf, bear, deer
    elephant, giraffe, zebra, lion, tiger, monkey, kangaroo, camel, panda, bird, chicken, duck
    goose, swan, owl, eagle, parrot, penguin, pigeon, fish, shark, dolphin, whale, turtle, frog
    snake, lizard, crab, butterfly, bee, spider, insect
    car, bus, truck, van, taxi, motorcycle, bicycle, scooter, train, tram, airplane, helicopter
    boat, ship, sailboat, canoe, tractor, fire truck, ambulance, police car, wheel, balloon
    street, road, highway, bridge, tunnel, traffic light, traffic sign, street lamp, parking lot
    building, house, skyscraper, church, castle, tower, temple, barn, tent, window, door, roof, wall
    fence, stairs, balcony, statue, fountain, monument, construction site, ruins
    kitchen, bathroom, bedroom, living room, office, classroom, library, restaurant, shop
    supermarket, market, hospital, stadium, gym, museum, theater, airport, railway station, factory
    beach, sea, lake, river, waterfall, mountain, hill, valley, desert, forest, field, garden, park
    island, cave, sky, cloud, rainbow, sun, moon, stars, sunset, night, snow, ice, rain, fog, fire
    smoke, lightning
    tree, flower, rose, sunflower, tulip, grass, leaf, bush, cactus, mushroom, palm tree, plant
    apple, banana, orange, lemon, strawberry, grapes, watermelon, pineapple, cherry, tomato, potato
    carrot, onion, pepper, cucumber, corn, salad, bread, cake, cookie, pizza, hamburger, sandwich
    hot dog, pasta, rice, soup, sushi, meat, egg, cheese, ice cream, chocolate, breakfast
    coffee, tea, beer, wine, water, bottle, glass, cup, plate, bowl, spoon, fork, knife, pan, pot
    table, chair, sofa, bed, desk, shelf, cupboard, lamp, candle, mirror, clock, vase, curtain
    carpet, pillow, blanket, bathtub, toilet, sink, stove, oven, refrigerator, microwave
    washing machine, television, computer, laptop, keyboard, computer mouse, telephone, camera
    headphones, microphone, loudspeaker, printer, remote control, robot
    book, newspaper, letter, document, map, poster, painting, drawing, cartoon, photograph, chart
    screenshot, logo, sign, text, handwriting, money, coin, flag, gift, toy, teddy bear, doll, ball
    balloons, kite, puzzle, chess, playing cards, guitar, piano, violin, drum, trumpet
    football, basketball, baseball, tennis, golf, swimming, skiing, snowboard, skateboard, surfing
    running, dancing, wedding, party, concert, parade, cooking, eating, sleeping, reading
    shirt, dress, suit, coat, jeans, shoe, boot, hat, cap, glasses, sunglasses, watch, ring
    necklace, bag, backpack, suitcase, umbrella, scarf, glove, tie, mask, helmet, uniform
    hammer, screwdriver, saw, ladder, rope, box, basket, bucket, broom, tool, machine, pipe, stone
    sand, wood, metal, bone, shell, feather, medicine, syringe, gun, sword
    """
COMMON_THINGS = tuple(
    name for line in _LINES.splitlines() for word in line.split(",") if (name := word.strip())
)
